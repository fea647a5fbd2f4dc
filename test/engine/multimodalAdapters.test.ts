import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BuildPlan } from '../../src/core/engine/buildPlan';
import { canonicalTensorName, towerOf } from '../../src/core/formats/huggingface/tensorNames';
import { prepareConvertAdapter } from '../../src/node/engine/convertAdapter';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { runCliOk } from '../support/cli';
import { makeModel, temporaryFolder } from '../support/models';
import { filled, makeMultimodal, MULTIMODAL_LAYOUTS, VISION_MODULES, VISION_WIDTH } from '../support/multimodalModel';
import { readTensors, writePeft, writeTensors, type PlainTensors, type TensorToWrite } from '../support/tensors';

const folder = temporaryFolder();
makeModel('gemma3', folder);
const text = join(folder, 'gemma3/base');
const weights = readTensors(text);

const NAMES = Object.keys(MULTIMODAL_LAYOUTS);
const baseOf = (name: string): string => makeMultimodal(text, MULTIMODAL_LAYOUTS[name]!, folder);

/** A LoRA of rank 4 on two modules of the text model and, where `vision` is a number, on the tower with its B of that value. */
function adapterOf(name: string, vision?: number, onText = true): string {
  const layout = MULTIMODAL_LAYOUTS[name]!;
  const tensors: Record<string, TensorToWrite> = {};
  const add = (module: string, [rows = 0, columns = 0]: readonly number[], b: number): void => {
    tensors[`base_model.model.${module}.lora_A.weight`] = filled([4, columns], 0.01);
    tensors[`base_model.model.${module}.lora_B.weight`] = filled([rows, 4], b);
  };
  for (const module of onText ? ['model.layers.0.self_attn.q_proj', 'model.layers.1.mlp.down_proj'] : []) {
    add(layout.text(module), weights.get(`${module}.weight`)!.shape, 0.02);
  }
  if (vision !== undefined) {
    VISION_MODULES.forEach((module) => add(`${layout.vision}${module}`, [VISION_WIDTH, VISION_WIDTH], vision));
  }
  return writePeft(mkdtempSync(join(folder, 'adapter-')), {}, tensors);
}

async function plan(base: string, adapter: string): Promise<BuildPlan> {
  const options = { fileType: 'F32', output: join(folder, 'never.gguf'), layout: 'quantised' } as const;
  return await prepareBuild({ base, adapters: [{ path: adapter, weight: 1 }], ...options });
}

const notes = (all: { checks: BuildPlan['checks']; warnings: BuildPlan['warnings'] }, code: string): string[] =>
  [...all.checks, ...all.warnings].filter((note) => note.code === code).map(({ message }) => message);
const changed = ({ tensors }: BuildPlan): string[] =>
  tensors
    .filter(({ slices }) => slices.some(({ contributions }) => contributions.length > 0))
    .map(({ name }) => name)
    .sort();

describe('an adapter of a model that sees', () => {
  it.each(NAMES.flatMap((base) => NAMES.map((adapter) => [base, adapter] as const)))(
    'its text part is fused into the GGUF of a %s base, named as %s does, and its vision part is told of',
    async (base, adapter) => {
      const made = await plan(baseOf(base), adapterOf(adapter, 0.02));
      expect(changed(made)).toEqual(['blk.0.attn_q.weight', 'blk.1.ffn_down.weight']);
      expect(notes(made, 'check/adapter-tensors')).toEqual(['4 of 16 adapter tensors are used (12 left out)']);
      expect(notes(made, 'adapter/left-out')[0]).toMatch(/^6 trained modules of the vision part in .* have no place/);
      expect(made.summary.adapters[0]).toMatchObject({
        modulesMatched: 2,
        modules: 8,
        tensors: { used: 4, leftOut: 12, withoutEffect: 0 },
      });
    },
  );

  it('factors that were never trained cost nothing, and are said to have no effect', async () => {
    const made = await plan(baseOf('published'), adapterOf('transformers 5', 0));
    expect(notes(made, 'adapter/left-out')).toEqual([]);
    expect(notes(made, 'check/adapter-tensors')).toEqual([
      '4 of 16 adapter tensors are used (12 without effect: zero, or copies)',
    ]);
    // The sign of a zero makes it no other.
    const minus = await plan(baseOf('published'), adapterOf('transformers 5', -0));
    expect(notes(minus, 'adapter/left-out')).toEqual([]);
  });

  it('only a text part: every tensor is used, and the result is said not to see', async () => {
    const made = await plan(baseOf('transformers 5'), adapterOf('published'));
    expect(notes(made, 'check/adapter-tensors')).toEqual(['every adapter tensor is used']);
    expect(notes(made, 'model/text-only')[0]).toMatch(/without its vision part .* does not see$/);
  });

  it('only a vision part: refused for a GGUF, which would be the base as it is', async () => {
    await expect(plan(baseOf('published'), adapterOf('published', 0.02, false))).rejects.toMatchObject({
      code: 'adapter/unmatched',
      message: expect.stringContaining('nothing but the vision part') as string,
    });
  });

  it('a whole projector (modules_to_save) is told of', async () => {
    const adapter = adapterOf('published');
    const file = join(adapter, 'adapter_model.safetensors');
    const own = Object.fromEntries(readTensors(file));
    writeTensors(file, {
      ...own,
      'base_model.model.model.multi_modal_projector.linear.weight': filled([VISION_WIDTH, VISION_WIDTH], 1),
    });
    const made = await plan(baseOf('published'), adapter);
    expect(notes(made, 'adapter/left-out')[0]).toContain('1 trained module of the vision part');
    expect(notes(made, 'check/adapter-tensors')).toEqual(['4 of 5 adapter tensors are used (1 left out)']);
  });

  it('a merged folder has both parts, under the names of the base', async () => {
    const base = baseOf('published');
    const out = join(mkdtempSync(join(folder, 'fused-')), 'out');
    await runCliOk([
      'fuse',
      '--base',
      base,
      '--adapter',
      adapterOf('transformers 5', 0.02),
      '--out',
      out,
      '--dtype',
      'F32',
    ]);
    const fused: PlainTensors = readTensors(out);
    // 0.5 + alpha / rank * rank * 0.01 * 0.02.
    const value = fused.get(`vision_tower.vision_model.${VISION_MODULES[0]!}.weight`)!.values[0]!;
    expect(value).toBeCloseTo(0.5 + 2 * 4 * 0.01 * 0.02, 6);
    expect([...fused.keys()].sort()).toEqual([...readTensors(base).keys()].sort());
  });

  it('a GGUF base and a GGUF adapter have the text part, and tell of the rest', async () => {
    const gguf = join(mkdtempSync(join(folder, 'gguf-')), 'base.gguf');
    await runCliOk(['convert', '--base', baseOf('published'), '--type', 'F32', '--out', gguf]);
    const made = await plan(gguf, adapterOf('transformers 5', 0.02));
    expect(changed(made)).toEqual(['blk.0.attn_q.weight', 'blk.1.ffn_down.weight']);
    expect(notes(made, 'check/adapter-tensors')).toEqual(['4 of 16 adapter tensors are used (12 left out)']);
    for (const base of [gguf, baseOf('published')]) {
      const request = { adapter: { path: adapterOf('published', 0.02), weight: 1 }, base, type: 'F32' } as const;
      const lora = await prepareConvertAdapter({ ...request, output: join(folder, 'lora.gguf') });
      expect(lora.tensors.map(({ name }) => name)).toHaveLength(4);
      expect(notes(lora, 'check/adapter-tensors')).toEqual(['4 of 16 adapter tensors are used (12 left out)']);
      expect(notes(lora, 'adapter/left-out')).toHaveLength(1);
    }
  });
});

describe('names of towers', () => {
  it.each([
    ['model.visual.blocks.0.attn.qkv.weight', 'visual.blocks.0.attn.qkv.weight', 'vision part'],
    ['visual.merger.mlp.0.weight', 'visual.merger.mlp.0.weight', 'vision part'],
    ['model.vision_tower.vision_model.encoder.x.weight', 'vision_tower.encoder.x.weight', 'vision part'],
    ['vision_tower.transformer.layers.0.x.weight', 'vision_tower.transformer.layers.0.x.weight', 'vision part'],
    ['model.audio_tower.conformer.0.x.weight', 'audio_tower.conformer.0.x.weight', 'audio part'],
    ['model.language_model.layers.0.mlp.up_proj.weight', 'model.layers.0.mlp.up_proj.weight', undefined],
    ['language_model.model.embed_tokens.weight', 'model.embed_tokens.weight', undefined],
  ] as const)('%s', (name, canonical, part) => {
    expect(canonicalTensorName(name)).toBe(canonical);
    expect(towerOf(name)).toBe(part);
  });
});
