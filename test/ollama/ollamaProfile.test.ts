import { describe, expect, it } from 'vitest';
import { availabilityText, judgedFor, ollamaProfile } from '../../src/core/ollama/ollamaProfile';
import { OLLAMA_BEHAVIOURS } from '../../src/core/ollama/ollamaBehaviours';
import { KNOWN_VERSIONS, NEWEST_KNOWN, ollamaNames } from '../../src/core/ollama/ollamaTable';
import { compareVersions } from '../../src/core/golang/semver';

describe('the profile of a version', () => {
  it.each([
    ['0.34.0', true],
    ['v0.34.0', true],
    ['0.34.1-rc2', false],
    ['0.34.1', false],
    ['0.34.4', false],
    ['99.0.0', false],
    [undefined, false],
    ['0.0.0', false],
    ['no version', false],
  ])('%s makes models with adapter layers: %s', (version, does) => {
    expect(ollamaProfile(version).does('adapterLayers')).toBe(does);
  });

  it('begins and ends: typical_p, globs, converted classes and MLX', () => {
    const [old, now] = [ollamaProfile('0.32.15'), ollamaProfile('0.34.4')];
    expect([old.does('typicalP'), now.does('typicalP')]).toEqual([true, false]);
    expect([old.does('fromGlobs'), now.does('fromGlobs')]).toEqual([false, true]);
    expect([
      old.standing('convertedClass', 'LlamaForCausalLM'),
      now.standing('convertedClass', 'LlamaForCausalLM'),
    ]).toEqual(['yes', 'gone']);
    expect([old.has('convertedClass', 'Qwen3ForCausalLM'), now.has('mlxClass', 'Qwen3ForCausalLM')]).toEqual([
      false,
      true,
    ]);
    expect(ollamaProfile('0.11.0').standing('instruction', 'RENDERER')).toBe('not-yet');
    expect(now.standing('renderer', 'no-such')).toBe('unknown');
    expect(ollamaProfile('0.12.0').names('renderer')).toEqual(['qwen3-coder']);
  });

  it('says which version counts, in words that stay true', () => {
    const newest = `the newest that this version of Modelfile Studio knows`;
    expect(judgedFor(ollamaProfile(undefined))).toBe(`judged for Ollama ${NEWEST_KNOWN}, ${newest}`);
    expect(judgedFor(ollamaProfile('0.32.15'))).toBe('judged for Ollama 0.32.15, the version that was given');
    expect(judgedFor(ollamaProfile('0.33.0', 'server'))).toBe('judged for Ollama 0.33.0, the running server');
    expect(judgedFor(ollamaProfile('9.0.0', 'program'))).toBe(
      `judged for Ollama 9.0.0, the installed program, which is newer than ${NEWEST_KNOWN}, ${newest}`,
    );
    expect(ollamaProfile('9.0.0').isNewerThanKnown).toBe(true);
    expect(ollamaProfile(NEWEST_KNOWN).isNewerThanKnown).toBe(false);
    expect(ollamaProfile('0.0.0-dirty', 'server').isAssumed).toBe(true);
  });

  it('names since and gone', () => {
    expect(availabilityText({})).toBeUndefined();
    expect(availabilityText({ since: '0.12.0', gone: '0.34.1' })).toBe('since Ollama 0.12.0, until 0.34.0');
    expect(availabilityText(OLLAMA_BEHAVIOURS.adapterFolders)).toBe('gone in Ollama 0.12.11');
    expect(availabilityText(OLLAMA_BEHAVIOURS.fromGlobs)).toBe('since Ollama 0.34.1');
    expect(availabilityText(OLLAMA_BEHAVIOURS.typicalP)).toBe('until Ollama 0.34.0');
  });
});

describe('the table', () => {
  it('has its versions in order, and nothing that goes before it comes', () => {
    expect([...KNOWN_VERSIONS].sort(compareVersions)).toEqual(KNOWN_VERSIONS);
    for (const kind of [
      'instruction',
      'parameter',
      'renderer',
      'parser',
      'convertedClass',
      'mlxClass',
      'createError',
      'llamaCpp',
    ] as const) {
      expect(ollamaNames(kind).size, kind).toBeGreaterThan(0);
      for (const [name, { since, gone }] of ollamaNames(kind)) {
        expect(since === undefined || gone === undefined || compareVersions(since, gone) < 0, name).toBe(true);
      }
    }
  });
});
