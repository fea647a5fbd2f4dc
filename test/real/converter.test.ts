import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { converterOrSkip, runConverter } from '../support/converter';
import { describeGguf, type GoldenTensor } from '../support/describeGguf';
import { makeModel, makeRealShape, temporaryFolder } from '../support/models';
import { readTensors } from '../support/tensors';

const folder = temporaryFolder();
const LONG = 1_500_000;
const OUTTYPES = ['f32', 'f16', 'bf16', 'q8_0'] as const;
const SPECS = readdirSync(join(FIXTURES, 'specs')).map((name) => name.replace(/\.json$/, ''));
/** Families that have no golden; their real shapes are held against the converter. */
const SHAPES = [
  'gemma-2b',
  'Qwen1.5-MoE-A2.7B',
  'Phi-4-mini-instruct',
  'SmolLM2-135M',
  'Ministral-3-3B',
  'gemma-3-4b-it',
];
/** The vocabularies of the fixtures are made up: what the converter is told that they are. */
const PRE: Readonly<Record<string, string>> = { 'bpe-llama3': 'llama-bpe', 'bpe-qwen2': 'qwen2', 'bpe-glm4': 'glm4' };
/** The converter stops at these, and llama.cpp runs what we make of them: why. */
const CONVERTER_STOPS = new Map([['stablelm-qknorm', /Unprocessed norms/]]);
/** Stacks stand in another order in the converter's file; loaders go by name. */
const OTHER_ORDER = new Set(['ernie45moe']);
/** The converter writes scores that llama.cpp cannot use for a Llama vocabulary without tokenizer.model, and ours differ on purpose. */
const OWN_SCORES = new Set(['llama2-json']);

interface Spec {
  readonly tokenizer: string;
  /** Options that the converter needs for this folder (`--no-mtp`). */
  readonly converter?: readonly string[];
  /** What driver.py changes of the converter. */
  readonly patches?: readonly string[];
}

function specOf(kind: 'specs' | 'shapes', name: string): Spec {
  return JSON.parse(readFileSync(join(FIXTURES, kind, `${name}.json`), 'utf8')) as Spec;
}

/** The decays of a state space, -exp(x): libraries round `exp` differently in the last place. */
const rounded = ({ values }: GoldenTensor): boolean => values !== undefined;

/** The file without what is different on purpose. */
function comparable(path: string, name: string): unknown {
  const { metadata, tensors } = describeGguf(path);
  return {
    metadata: metadata.filter(({ key }) => !OWN_SCORES.has(name) || key !== 'tokenizer.ggml.scores'),
    tensors: (OTHER_ORDER.has(name) ? [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1)) : tensors).map(
      (tensor) => ({
        ...tensor,
        offset: 0,
        ...(rounded(tensor) ? { sha256: '', values: [] } : {}),
      }),
    ),
  };
}

/** What {@link comparable} leaves out, within one unit in the last place. */
function compareRounded(ours: string, theirs: string, what: string): void {
  const want = new Map(describeGguf(theirs).tensors.map((tensor) => [tensor.name, tensor.values ?? []]));
  for (const { name, values = [] } of describeGguf(ours).tensors.filter(rounded)) {
    expect(values.length, `${what}: ${name}`).toBe(want.get(name)?.length);
    for (const [index, value] of want.get(name)!.entries()) {
      expect(Math.abs(values[index]! - value) / Math.abs(value), `${what}: ${name}`).toBeLessThan(2 ** -23);
    }
  }
}

describe("llama.cpp's own converter, on the same model in the same run", () => {
  it('every spec in every type, and the shapes of families that have no spec', { timeout: LONG }, async (context) => {
    const python = converterOrSkip(context);
    const cases = [
      ...SPECS.flatMap((name) => OUTTYPES.map((outtype) => ({ kind: 'specs' as const, name, outtype }))),
      ...SHAPES.map((name) => ({ kind: 'shapes' as const, name, outtype: 'bf16' as const })),
    ];
    const bases = new Map([
      ...SPECS.map((name) => [name, join(makeModel(name, folder), 'base')] as const),
      ...SHAPES.map((name) => [name, join(makeRealShape(name, folder), 'base')] as const),
    ]);
    // The converter takes a Phi vocabulary for SentencePiece unless it is told otherwise.
    const config = join(bases.get('Phi-4-mini-instruct')!, 'tokenizer_config.json');
    writeFileSync(
      config,
      JSON.stringify({ ...(JSON.parse(readFileSync(config, 'utf8')) as object), tokenizer_class: 'GPT2Tokenizer' }),
    );
    const answers = await runConverter(
      python,
      folder,
      cases.map(({ kind, name, outtype }) => ({
        do: 'convert',
        model: bases.get(name)!,
        outtype,
        out: join(folder, `${name}.${outtype}.gguf`),
        pre: PRE[specOf(kind, name).tokenizer],
        options: specOf(kind, name).converter,
        patches: specOf(kind, name).patches,
      })),
    );
    for (const [index, { name, outtype }] of cases.entries()) {
      const theirs = join(folder, `${name}.${outtype}.gguf`);
      const stops = CONVERTER_STOPS.get(name);
      if (stops !== undefined) {
        expect(answers[index]?.error, `${name} ${outtype}`).toMatch(stops);
        continue;
      }
      expect(answers[index], `${name} ${outtype}`).toEqual({ ok: true });
      const ours = join(folder, 'ours.gguf');
      await runCliOk(['convert', '--base', bases.get(name)!, '--type', outtype, '--out', ours, '--force']);
      const exact =
        !OTHER_ORDER.has(name) &&
        !OWN_SCORES.has(name) &&
        outtype !== 'f32' &&
        !describeGguf(theirs).tensors.some(rounded);
      if (exact) {
        expect(readFileSync(ours).equals(readFileSync(theirs)), `${name} ${outtype}: the same bytes`).toBe(true);
      }
      expect(comparable(ours, name), `${name} ${outtype}`).toEqual(comparable(theirs, name));
      compareRounded(ours, theirs, `${name} ${outtype}`);
      rmSync(theirs);
    }
    console.log(`${cases.length} files equal the converter's`);
  });
});

const ALL_LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
/** Every kind of adapter that PEFT merges and we do, on models that have what it changes. */
const ADAPTERS: readonly (readonly [
  name: string,
  spec: string,
  config: Readonly<Record<string, unknown>>,
  resize?: number,
])[] = [
  ['lora', 'qwen3', { r: 8, lora_alpha: 16, target_modules: ALL_LINEAR }],
  [
    'rslora with patterns',
    'llama3',
    {
      r: 8,
      lora_alpha: 16,
      use_rslora: true,
      target_modules: ALL_LINEAR,
      rank_pattern: { q_proj: 4, 'layers.1.mlp.down_proj': 2 },
      alpha_pattern: { v_proj: 3 },
    },
  ],
  ['dora', 'qwen2', { r: 4, lora_alpha: 8, use_dora: true, target_modules: ['q_proj', 'v_proj', 'down_proj'] }],
  ['trained biases', 'qwen2', { r: 4, lora_alpha: 8, bias: 'lora_only', target_modules: ['q_proj', 'v_proj'] }],
  ['lora_bias', 'qwen2', { r: 4, lora_alpha: 8, lora_bias: true, target_modules: ['q_proj', 'k_proj'] }],
  [
    'modules_to_save',
    'llama2-spm',
    {
      r: 4,
      lora_alpha: 8,
      target_modules: ['q_proj'],
      modules_to_save: ['lm_head', 'embed_tokens', 'input_layernorm'],
    },
  ],
  ['embedding', 'llama2-spm', { r: 4, lora_alpha: 8, target_modules: ['embed_tokens', 'q_proj'] }],
  ['embedding and head', 'llama2-spm', { r: 4, lora_alpha: 8, target_modules: ['embed_tokens', 'lm_head'] }],
  ['tied embedding', 'qwen3', { r: 4, lora_alpha: 8, target_modules: ['embed_tokens'] }],
  [
    'trainable tokens',
    'llama2-spm',
    { r: 4, lora_alpha: 8, target_modules: ['q_proj'], trainable_token_indices: { embed_tokens: [5, 17, 400] } },
  ],
  [
    'resized vocabulary',
    'llama2-spm',
    { r: 4, lora_alpha: 8, target_modules: ['q_proj'], modules_to_save: ['embed_tokens', 'lm_head'] },
    608,
  ],
  [
    'experts, both parameters',
    'qwen3moe',
    {
      r: 3,
      lora_alpha: 6,
      target_modules: ['q_proj'],
      target_parameters: ['mlp.experts.gate_up_proj', 'mlp.experts.down_proj'],
    },
  ],
  [
    'experts, one parameter',
    'mixtral',
    { r: 2, lora_alpha: 8, target_modules: ['v_proj'], target_parameters: ['mlp.experts.down_proj'] },
  ],
  ['gemma', 'gemma3', { r: 8, lora_alpha: 16, target_modules: ALL_LINEAR }],
  [
    'fused projections',
    'phi3',
    { r: 8, lora_alpha: 16, target_modules: ['qkv_proj', 'gate_up_proj', 'o_proj', 'down_proj'] },
  ],
  ['gaussian', 'granite', { r: 8, lora_alpha: 16, init_lora_weights: 'gaussian', target_modules: ALL_LINEAR }],
  [
    'layers and exclusions',
    'smollm3',
    { r: 8, lora_alpha: 16, target_modules: 'all-linear', exclude_modules: ['k_proj'], layers_to_transform: null },
  ],
];
/** PEFT sums its products in another order, in f32. */
const TOLERANCE = 2e-6;

describe("PEFT's own merge, of adapters that PEFT made", () => {
  it('every kind of adapter', { timeout: LONG }, async (context) => {
    const python = converterOrSkip(context);
    const jobs = ADAPTERS.map(([name, spec, config, resize]) => {
      const work = mkdtempSync(join(folder, 'peft-'));
      return {
        name,
        do: 'merge' as const,
        model: join(makeModel(spec, work), 'base'),
        adapter: join(work, 'adapter'),
        merged: join(work, 'merged'),
        config,
        resize,
      };
    });
    const answers = await runConverter(python, folder, jobs);
    for (const [index, { name, model, adapter, merged }] of jobs.entries()) {
      expect(answers[index], name).toEqual({ ok: true });
      const out = join(adapter, '..', 'ours');
      await runCliOk(['fuse', '--base', model, '--adapter', adapter, '--out', out, '--dtype', 'F32']);
      const [ours, theirs] = [readTensors(out), readTensors(merged)];
      let largest = 0;
      for (const [tensor, { values, shape }] of theirs) {
        const own = ours.get(tensor);
        expect(own?.shape, `${name}: ${tensor}`).toEqual(shape);
        const scale = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length) || 1;
        for (let i = 0; i < values.length; i++) {
          largest = Math.max(largest, Math.abs(own!.values[i]! - values[i]!) / scale);
        }
      }
      expect(largest, name).toBeLessThan(TOLERANCE);
      const base = readTensors(model);
      const changed = [...theirs].some(
        ([tensor, { values }]) => base.get(tensor)?.values.some((value, i) => value !== values[i]) !== false,
      );
      expect(changed, `${name} changes something`).toBe(true);
    }
    console.log(`${jobs.length} kinds of adapters merge as PEFT merges them`);
  });
});
