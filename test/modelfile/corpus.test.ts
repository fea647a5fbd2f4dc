import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixAll } from '../../src/core/modelfile/applyFixes';
import type { Diagnostic } from '../../src/core/modelfile/diagnostic';
import { LineIndex } from '../../src/core/modelfile/lineIndex';
import { lintModelfile } from '../../src/core/modelfile/lintModelfile';
import type { ModelfileCommand } from '../../src/core/modelfile/modelfileTypes';
import { ownerAt } from '../../src/core/modelfile/ownerAt';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { NodeWorkspaceFacts } from '../../src/node/modelfile/workspaceFacts';
import { mutate } from '../support/modelfileGenerator';
import { MODELFILE_CORPUS } from '../support/modelfileCorpus';
import { Random } from '../support/random';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'modelfile-corpus-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const lint = (text: string): Promise<readonly Diagnostic[]> =>
  lintModelfile(parseModelfile(text), { facts: new NodeWorkspaceFacts({ directory: folder, isTrusted: true }) });

describe('Modelfiles as people write them', () => {
  it('are told what a careful reader would want to be told: precision and recall of each code are 0.95 and more', async () => {
    expect(MODELFILE_CORPUS.length).toBeGreaterThanOrEqual(120);
    const counts = new Map<string, { right: number; wrong: number; missed: number }>();
    const odd: string[] = [];
    let files = 0;
    let told = 0;
    for (const { name, text, wanted } of MODELFILE_CORPUS) {
      const lines = new LineIndex(text);
      const diagnostics = await lint(text);
      const found = diagnostics.map(
        ({ span, code }) => `${lines.position(span.start).line + 1} ${code.replace('modelfile/', '')}`,
      );
      const left = [...wanted];
      for (const finding of found) {
        const at = left.indexOf(finding);
        left.splice(at < 0 ? left.length : at, 1);
        const count = countOf(counts, finding);
        count[at < 0 ? 'wrong' : 'right'] += 1;
        odd.push(...(at < 0 ? [`${name}: not wanted: ${finding}`] : []));
      }
      for (const finding of left) {
        countOf(counts, finding).missed += 1;
        odd.push(`${name}: missing: ${finding}`);
      }
      // Quiet: files that Ollama takes, without paths that are elsewhere.
      if (parseModelfile(text).verdict.ok) {
        files += 1;
        told += diagnostics.filter(
          ({ code, severity }) => severity !== 'hint' && code !== 'modelfile/from-missing-path',
        ).length;
      }
    }
    const table = [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, { right, wrong, missed }]) => ({
        code,
        precision: right / Math.max(right + wrong, 1),
        recall: right / Math.max(right + missed, 1),
        findings: right + wrong,
      }));
    console.log(
      [
        `${MODELFILE_CORPUS.length} Modelfiles; ${(told / files).toFixed(2)} findings for each of ${files} that Ollama takes`,
      ]
        .concat(
          table.map(
            (row) =>
              `${row.code.padEnd(28)} precision ${row.precision.toFixed(2)}  recall ${row.recall.toFixed(2)}  of ${row.findings}`,
          ),
        )
        .join('\n'),
    );
    expect(odd).toEqual([]);
    for (const { code, precision, recall } of table) {
      expect(Math.min(precision, recall), code).toBeGreaterThanOrEqual(0.95);
    }
    expect(told / files).toBeLessThanOrEqual(0.9);
  });
});

function countOf(
  counts: Map<string, { right: number; wrong: number; missed: number }>,
  finding: string,
): { right: number; wrong: number; missed: number } {
  const code = finding.slice(finding.indexOf(' ') + 1);
  const count = counts.get(code) ?? { right: 0, wrong: 0, missed: 0 };
  counts.set(code, count);
  return count;
}

/** Values by command, in order: what the request is made of. */
function byName(commands: readonly ModelfileCommand[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name, args } of commands) {
    found.set(name, `${found.get(name) ?? ''}\u0000${args}`);
  }
  return found;
}

/** Commands that a finding is about; stops go with the template that they end. */
function namedBy(text: string, diagnostics: readonly Diagnostic[]): ReadonlySet<string> {
  const { instructions } = parseModelfile(text);
  const names = diagnostics.flatMap(({ span, code, fixes }) => {
    if (!fixes.some(({ isSure }) => isSure)) {
      return [];
    }
    const owner = ownerAt(instructions, span.start)?.command?.name;
    return [
      ...(owner === undefined ? [] : [owner]),
      ...(code.startsWith('modelfile/template-') ? ['template', 'stop'] : []),
    ];
  });
  return new Set(names);
}

/** The file itself, and mutations of it. */
const SEEDS = Number(process.env['MODELFILE_STUDIO_MUTATIONS'] ?? 6);

describe('fix all', () => {
  it('leaves no new findings, and changes the request only in what findings named, whatever the text', async () => {
    let changed = 0;
    for (const [index, { name, text: original }] of MODELFILE_CORPUS.entries()) {
      for (let seed = 0; seed < SEEDS; seed += 1) {
        const text = seed === 0 ? original : mutate(new Random(index * 1000 + seed), original);
        const before = await lint(text);
        const seen: Diagnostic[][] = [];
        const named = new Set(namedBy(text, before));
        const { text: fixed, diagnostics: after } = await fixAll(text, before, async (next) => {
          const found = await lint(next);
          seen.push([...found]);
          namedBy(next, found).forEach((one) => named.add(one));
          return found;
        });
        changed += fixed === text ? 0 : 1;
        const weight = (all: readonly Diagnostic[], only?: string): number =>
          all.filter(({ severity }) =>
            only === undefined ? severity === 'error' || severity === 'warning' : severity === only,
          ).length;
        const where = `${name}, ${seed}: ${JSON.stringify(text)} became ${JSON.stringify(fixed)}`;
        expect(weight(after, 'error'), where).toBeLessThanOrEqual(weight(before, 'error'));
        expect(weight(after), where).toBeLessThanOrEqual(weight(before));
        expect(
          after.some(({ fixes }) => fixes.some(({ isSure }) => isSure)) && fixed !== text && seen.length >= 10,
          where,
        ).toBe(false);
        const [verdict, next] = [parseModelfile(text).verdict, parseModelfile(fixed).verdict];
        // What Ollama refuses has no request that could change.
        if (verdict.ok && weight(before, 'error') === 0) {
          expect(next.ok, where).toBe(true);
          const codes = new Set(before.map(({ code }) => code));
          expect(
            after.filter(({ code }) => !codes.has(code)).map(({ code }) => code),
            where,
          ).toEqual([]);
          const [old, now] = [byName(verdict.commands), byName(next.ok ? next.commands : [])];
          for (const command of new Set([...old.keys(), ...now.keys()])) {
            expect(old.get(command) === now.get(command) || named.has(command), `${command}: ${where}`).toBe(true);
          }
        }
      }
    }
    expect(changed).toBeGreaterThan(100);
  }, 240_000);
});
