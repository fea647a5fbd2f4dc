import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BuildPlan, PlannedAdapter } from '../../src/core/engine/buildPlan';
import { prepareBuild, prepareFuse } from '../../src/node/engine/prepareBuild';
import { toStudioError } from '../../src/core/errors';
import { makeModel, temporaryFolder } from '../support/models';
import { makeMultimodal, MULTIMODAL_LAYOUTS, VISION_MODULES, VISION_WIDTH } from '../support/multimodalModel';
import { Random } from '../support/random';
import { readTensors, writePeft, type PlainTensors, type TensorToWrite } from '../support/tensors';

/** How many adapters are made of each base, and the seed of the first: each seed is one adapter. */
const COUNT = Number(process.env['ADAPTERS'] ?? 8);
const SEED = Number(process.env['SEED'] ?? 1);

const folder = temporaryFolder();

interface Base {
  readonly name: string;
  readonly directory: string;
  readonly weights: PlainTensors;
  /** The name that PEFT has for a weight's module. */
  readonly module: (weight: string) => string;
  readonly vision?: string;
  readonly experts?: number;
}
const bases: Base[] = [];

beforeAll(() => {
  const plain = (name: string, experts?: number): Base => {
    const directory = join(makeModel(name, folder), 'base');
    const module = (weight: string): string => weight.replace(/\.weight$/, '').replace('block_sparse_moe', 'mlp');
    return { name, directory, weights: readTensors(directory), module, ...(experts === undefined ? {} : { experts }) };
  };
  const text = plain('gemma3');
  for (const name of ['published', 'transformers 5']) {
    const layout = MULTIMODAL_LAYOUTS[name]!;
    bases.push({
      ...text,
      name: `gemma3 as ${name}`,
      directory: makeMultimodal(text.directory, layout, folder),
      module: (weight) => layout.text(weight.replace(/\.weight$/, '')),
      vision: layout.vision,
    });
  }
  bases.push(plain('qwen2'), plain('llama3'), plain('gemma2'), plain('qwen3moe', 4), plain('mixtral', 4));
});

/** An adapter and what must become of each of its tensors. */
interface Draw {
  readonly path: string;
  readonly tensors: number;
  readonly idle: readonly string[];
  readonly vision: readonly string[];
}

function draw(base: Base, random: Random): Draw {
  const tensors: Record<string, TensorToWrite> = {};
  const [idle, vision]: [string[], string[]] = [[], []];
  const config: Record<string, unknown> = { r: 2, lora_alpha: 4 };
  const noise = (shape: readonly number[], isZero = false): TensorToWrite => ({
    shape,
    values: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () =>
      isZero ? 0 : (random.next() - 0.5) * 0.1,
    ),
  });
  const add = (
    module: string,
    suffixes: readonly [string, string],
    a: number[],
    b: number[],
    isZero = false,
  ): string[] => {
    const names = suffixes.map((suffix) => `base_model.model.${module}.${suffix}`);
    tensors[names[0]!] = noise(a);
    tensors[names[1]!] = noise(b, isZero);
    return names;
  };
  const linear = ['lora_A.weight', 'lora_B.weight'] as const;
  const matrices = [...base.weights].filter(
    ([name]) => /layers\.\d+\..*proj\.weight$/.test(name) && !name.includes('experts'),
  );
  for (const [name, { shape }] of random.times(1, 6, () => random.pick(matrices))) {
    add(base.module(name), linear, [2, shape[1]!], [shape[0]!, 2]);
  }
  const [vocab = 0, hidden = 0] = base.weights.get('model.embed_tokens.weight')!.shape;
  const embed = base.module('model.embed_tokens.weight');
  switch (random.below(6)) {
    case 0: {
      const isZero = random.chance(0.5);
      const names = add(embed, ['lora_embedding_A', 'lora_embedding_B'], [2, vocab], [hidden, 2], isZero);
      idle.push(...(isZero ? names : []));
      break;
    }
    case 1: {
      const isZero = random.chance(0.5);
      const names = add(base.module('lm_head.weight'), linear, [2, hidden], [vocab, 2], isZero);
      idle.push(...(isZero ? names : []));
      break;
    }
    case 2:
      tensors[`base_model.model.${embed}.token_adapter.trainable_tokens_delta`] = noise([2, hidden]);
      tensors[`base_model.model.${embed}.token_adapter.trainable_tokens_original`] = noise([2, hidden]);
      idle.push(`base_model.model.${embed}.token_adapter.trainable_tokens_original`);
      config['trainable_token_indices'] = [3, 17];
      break;
    case 3:
      tensors[`base_model.model.${embed}.weight`] = noise([vocab, hidden]);
      config['modules_to_save'] = ['embed_tokens'];
      break;
    default:
  }
  if (base.experts !== undefined && random.chance(0.7)) {
    const gate = [...base.weights].find(([name]) => /experts\.0\.(?:gate_proj|w1)\.weight$/.test(name))![1].shape;
    const [width, experts] = [gate[0]!, base.experts];
    config['peft_version'] = '0.21.2';
    config['target_parameters'] = ['gate_up_proj', 'down_proj'];
    config['rank_pattern'] = random.chance(0.5) ? { '.*\\.gate_up_proj': 4 } : {};
    const rank = Object.keys(config['rank_pattern'] as object).length > 0 ? 4 : 2;
    const module = `model.layers.${random.below(2)}.mlp.experts`;
    add(`${module}.base_layer`, linear, [experts * rank, hidden], [2 * width, rank * experts]);
    add(module, linear, [experts * 2, width], [hidden, 2 * experts]);
  }
  if (base.vision !== undefined && random.chance(0.8)) {
    for (const module of new Set(random.times(1, 4, () => random.pick(VISION_MODULES)))) {
      const isZero = random.chance(0.4);
      const names = add(`${base.vision}${module}`, linear, [2, VISION_WIDTH], [VISION_WIDTH, 2], isZero);
      (isZero ? idle : vision).push(...names);
    }
  }
  const path = writePeft(mkdtempSync(join(folder, 'adapter-')), config, tensors);
  return { path, tensors: Object.keys(tensors).length, idle, vision };
}

/** Names of the adapter's tensors that a plan reads, by the spans of the file. */
function readBy(plan: BuildPlan, adapter: PlannedAdapter): string[] {
  const data = readFileSync(adapter.weightsFile);
  const start = 8 + Number(data.readBigUInt64LE(0));
  const header = JSON.parse(data.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>;
  const file = plan.inputs.indexOf(adapter.weightsFile);
  const offsets = plan.tensors.flatMap(({ slices }) =>
    slices.flatMap(({ source, contributions }) =>
      [
        source.kind === 'stored' ? source.matrix : [],
        contributions.map((part) => (part.kind === 'lowRank' ? [part.a, part.b] : part.matrix)),
      ]
        .flat(3)
        .flatMap((matrix) => (matrix.file === file ? [matrix.offset] : [])),
    ),
  );
  return Object.entries(header).flatMap(([name, entry]) =>
    name !== '__metadata__' &&
    offsets.some((offset) => offset >= start + entry.data_offsets[0] && offset < start + entry.data_offsets[1])
      ? [name]
      : [],
  );
}

describe('what becomes of the tensors of an adapter', () => {
  it(
    `${COUNT} random adapters a base: used, left out and without effect are all of them, or it is refused`,
    { timeout: 600_000 },
    async () => {
      const refused = new Map<string, number>();
      let planned = 0;
      for (const base of bases) {
        for (let seed = SEED; seed < SEED + COUNT; seed++) {
          const made = draw(base, new Random(seed));
          const request = { base: base.directory, adapters: [{ path: made.path, weight: 1 }] };
          for (const what of ['GGUF', 'folder'] as const) {
            const which = `${base.name}, ${what}, seed ${seed}`;
            const output = join(folder, 'never-written');
            let plan: BuildPlan;
            try {
              plan =
                what === 'GGUF'
                  ? await prepareBuild({ ...request, fileType: 'F32', output, layout: 'quantised' })
                  : (await prepareFuse({ ...request, output })).plan;
            } catch (thrown) {
              const { code, message } = toStudioError(thrown);
              // Gemma 2 has no place for a head that is not the embedding, and nothing else is refused here.
              expect(`${base.name} ${what} ${code} ${message}`, which).toMatch(
                /^gemma2 GGUF adapter\/unsupported .*no place for a head/,
              );
              refused.set(base.name, (refused.get(base.name) ?? 0) + 1);
              continue;
            }
            planned++;
            const [adapter] = plan.summary.adapters as readonly [PlannedAdapter];
            const leftOut = what === 'GGUF' ? made.vision : [];
            const used = made.tensors - made.idle.length - leftOut.length;
            expect(adapter.tensors, which).toEqual({
              used,
              withoutEffect: made.idle.length,
              leftOut: leftOut.length,
            });
            expect(readBy(plan, adapter), which).toHaveLength(used);
            const warned = plan.warnings.filter(({ code }) => code === 'adapter/left-out').length;
            expect(warned, which).toBe(leftOut.length > 0 ? 1 : 0);
            const tick = plan.checks.find(({ code }) => code === 'check/adapter-tensors')?.message;
            expect(tick === 'every adapter tensor is used', which).toBe(used === made.tensors);
          }
          rmSync(made.path, { recursive: true });
        }
      }
      console.log(
        `seeds ${SEED} to ${SEED + COUNT - 1} (SEED, ADAPTERS): ${planned} plans, refused: ${JSON.stringify([...refused])}`,
      );
      expect(planned).toBeGreaterThan(COUNT * bases.length);
    },
  );
});
