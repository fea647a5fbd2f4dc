import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCli, runCliOk } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { errorCode } from '../support/startCli';
import { readTensors, type TensorToWrite, writePeft } from '../support/tensors';

const folder = temporaryFolder();
const RUGBY = join(FIXTURES, 'rugby');
const random = new Random(9);

function fresh(): string {
  return mkdtempSync(join(folder, 'case-'));
}

function noise(shape: readonly number[]): TensorToWrite {
  return {
    shape,
    values: Float32Array.from(
      { length: shape.reduce((product, n) => product * n, 1) },
      () => (random.next() - 0.5) * 0.1,
    ),
  };
}

async function build(
  base: string,
  adapters: readonly string[],
  type: string,
): Promise<{ bytes: Buffer; warnings: string[] }> {
  const out = join(fresh(), 'model.gguf');
  const run = await runCliOk([
    'build',
    '--base',
    base,
    ...adapters.flatMap((adapter) => ['--adapter', adapter]),
    '--type',
    type,
    '--out',
    out,
    '--json',
  ]);
  return { bytes: readFileSync(out), warnings: (run['warnings'] as { code: string }[]).map(({ code }) => code) };
}

/** The base as a GGUF with all its bits. */
async function ggufOf(base: string): Promise<string> {
  const out = join(fresh(), 'base.gguf');
  await runCliOk(['build', '--base', base, '--type', 'F32', '--out', out]);
  return out;
}

describe('an adapter onto a base that is only a GGUF', () => {
  // Llama and Granite move rows, Gemma adds one to its norms, Phi-3 has fused projections, the rest experts.
  it.each([
    'llama3',
    'mistral',
    'granite',
    'smollm3',
    'qwen2',
    'qwen3',
    'gemma2',
    'gemma3',
    'phi3',
    'mixtral',
    'qwen3moe',
  ])('%s: the same file as from the folder', async (spec) => {
    const model = makeModel(spec, fresh());
    const base = join(model, 'base');
    const gguf = await ggufOf(base);
    for (const type of ['F32', 'Q4_K_M']) {
      const wanted = await build(base, [join(model, 'lora')], type);
      const ours = await build(gguf, [join(model, 'lora')], type);
      expect(ours.bytes.equals(wanted.bytes), `${spec} ${type}`).toBe(true);
    }
  });

  it('norms, and a head that the base does not have', async () => {
    const model = makeModel('llama3', fresh());
    const base = join(model, 'base');
    const weights = readTensors(base);
    const shape = (name: string): readonly number[] => weights.get(name)!.shape;
    const layer = 'model.layers.0';
    const adapter = writePeft(
      fresh(),
      { r: 4, lora_alpha: 8, modules_to_save: ['lm_head', 'input_layernorm'] },
      {
        [`base_model.model.${layer}.self_attn.q_proj.lora_A.weight`]: noise([
          4,
          shape(`${layer}.self_attn.q_proj.weight`)[1]!,
        ]),
        [`base_model.model.${layer}.self_attn.q_proj.lora_B.weight`]: noise([
          shape(`${layer}.self_attn.q_proj.weight`)[0]!,
          4,
        ]),
        [`base_model.model.${layer}.input_layernorm.weight`]: noise(shape(`${layer}.input_layernorm.weight`)),
        'base_model.model.lm_head.weight': noise(shape('model.embed_tokens.weight')),
      },
    );
    const outputs = [join(fresh(), 'a.gguf'), join(fresh(), 'b.gguf')] as const;
    await runCliOk(['build', '--base', base, '--adapter', adapter, '--type', 'F32', '--out', outputs[0]]);
    await runCliOk(['build', '--base', await ggufOf(base), '--adapter', adapter, '--type', 'F32', '--out', outputs[1]]);
    // The keys are the base's: its size label does not count the head that the adapter adds.
    const [wanted, ours] = outputs.map((path) => describeGguf(path).tensors);
    expect(wanted!.map(({ name }) => name)).toContain('output.weight');
    expect(ours).toEqual(wanted);
  });

  it('a quantised base: what no adapter touches is copied, and the plan says what it costs', async () => {
    const quantised = join(fresh(), 'base.Q8_0.gguf');
    await runCliOk(['build', '--base', join(RUGBY, 'base'), '--type', 'Q8_0', '--out', quantised]);
    const ours = await build(quantised, [join(RUGBY, 'lora')], 'Q8_0');
    expect(ours.warnings).toContain('quantize/requantize');
    const untouched = await build(quantised, [], 'Q8_0');
    expect(untouched.bytes.equals(readFileSync(quantised))).toBe(true);
  });

  it.each(['Q6_K', 'Q5_K_M', 'Q4_K_M', 'Q3_K_M', 'Q2_K'])(
    'a %s base gives what its dequantised file gives',
    async (type) => {
      const quantised = join(fresh(), 'base.gguf');
      await runCliOk(['build', '--base', join(RUGBY, 'base'), '--type', type, '--out', quantised]);
      const widened = join(fresh(), 'widened.gguf');
      await runCliOk(['quantize', quantised, widened, 'F32', '--allow-requantize']);
      const [ours, wanted] = [
        await build(quantised, [join(RUGBY, 'lora')], 'F32'),
        await build(widened, [join(RUGBY, 'lora')], 'F32'),
      ];
      expect(ours.bytes.equals(wanted.bytes)).toBe(true);
    },
  );

  it('refuses a resized vocabulary and an adapter of another model', async () => {
    const gguf = await ggufOf(join(RUGBY, 'base'));
    const bigger = writePeft(
      fresh(),
      { modules_to_save: ['embed_tokens'], ensure_weight_tying: true },
      { 'base_model.model.model.embed_tokens.weight': noise([642, 256]) },
    );
    const other = join(makeModel('qwen2-narrow', fresh()), 'lora');
    for (const [adapter, code] of [
      [bigger, 'adapter/unsupported'],
      [other, 'adapter/base-mismatch'],
    ] as const) {
      const run = await runCli([
        'build',
        '--base',
        gguf,
        '--adapter',
        adapter,
        '--type',
        'F16',
        '--out',
        join(fresh(), 'x.gguf'),
        '--json',
      ]);
      expect(run.code).toBe(1);
      expect(errorCode(run)).toBe(code);
    }
  });
});

describe('a GGUF adapter as input', () => {
  it.each(['llama3', 'qwen2', 'mixtral', 'gemma3'])('%s: merges as the folder that it was made from', async (spec) => {
    const model = makeModel(spec, fresh());
    const base = join(model, 'base');
    const adapter = join(fresh(), 'adapter.gguf');
    await runCliOk([
      'convert-adapter',
      '--adapter',
      join(model, 'lora'),
      '--base',
      base,
      '--type',
      'F32',
      '--out',
      adapter,
    ]);
    const wanted = await build(base, [join(model, 'lora')], 'F32');
    for (const from of [base, await ggufOf(base)]) {
      const ours = await build(from, [adapter], 'F32');
      expect(ours.bytes.equals(wanted.bytes), from).toBe(true);
    }
    // A merged folder as well, where no transform keeps heads together.
    const folders = [join(fresh(), 'a'), join(fresh(), 'b')] as const;
    await runCliOk(['fuse', '--base', base, '--adapter', adapter, '--out', folders[0]]);
    await runCliOk(['fuse', '--base', base, '--adapter', join(model, 'lora'), '--out', folders[1]]);
    const [fromGguf, fromFolder] = folders.map((out) => readTensors(out));
    for (const [name, { bytes }] of fromFolder!) {
      expect(Buffer.from(fromGguf!.get(name)!.bytes).equals(bytes), name).toBe(true);
    }
  });

  it('refuses what is no adapter', async () => {
    const gguf = await ggufOf(join(RUGBY, 'base'));
    const run = await runCli([
      'build',
      '--base',
      join(RUGBY, 'base'),
      '--adapter',
      gguf,
      '--type',
      'F16',
      '--out',
      join(fresh(), 'x.gguf'),
      '--json',
    ]);
    expect(errorCode(run)).toBe('adapter/missing');
  });
});

describe('a base that only Ollama has', () => {
  it('is found in its models folder, by any of its names', async () => {
    const gguf = await ggufOf(join(RUGBY, 'base'));
    const models = installed(gguf, {});
    const wanted = await build(gguf, [join(RUGBY, 'lora')], 'F16');
    for (const name of [
      'ollama:rugby',
      'ollama:rugby:latest',
      'ollama:library/rugby',
      'ollama:registry.ollama.ai/library/rugby:latest',
    ]) {
      const out = join(fresh(), 'model.gguf');
      await runCliOk(['build', '--base', name, '--adapter', join(RUGBY, 'lora'), '--type', 'F16', '--out', out], {
        env: { ...process.env, OLLAMA_MODELS: models },
      });
      expect(readFileSync(out).equals(wanted.bytes), name).toBe(true);
    }
  });

  it('serves convert-adapter, and a GGUF adapter is not converted twice', async () => {
    const models = installed(await ggufOf(join(RUGBY, 'base')), {});
    const outputs = [join(fresh(), 'a.gguf'), join(fresh(), 'b.gguf')] as const;
    await runCliOk(
      [
        'convert-adapter',
        '--adapter',
        join(RUGBY, 'lora'),
        '--base',
        'ollama:rugby',
        '--type',
        'F16',
        '--out',
        outputs[0],
      ],
      { env: { ...process.env, OLLAMA_MODELS: models } },
    );
    await runCliOk([
      'convert-adapter',
      '--adapter',
      join(RUGBY, 'lora'),
      '--base',
      join(RUGBY, 'base'),
      '--type',
      'F16',
      '--out',
      outputs[1],
    ]);
    expect(describeGguf(outputs[0]).tensors).toEqual(describeGguf(outputs[1]).tensors);
    const again = await runCli([
      'convert-adapter',
      '--adapter',
      outputs[0],
      '--base',
      join(RUGBY, 'base'),
      '--out',
      join(fresh(), 'c.gguf'),
      '--json',
    ]);
    expect(errorCode(again)).toBe('adapter/unsupported');
  });

  it.each<[string, string, Parameters<typeof installed>[1]]>([
    ['ollama:nobody', 'ollama/model-missing', {}],
    ['ollama:a b', 'ollama/model-name', {}],
    ['ollama:../../x', 'ollama/model-name', {}],
    ['ollama:rugby', 'ollama/file', { adapter: true }],
    ['ollama:rugby', 'ollama/file', { digest: 'sha256:../../../../etc/passwd' }],
  ])('%s: %s', async (name, code, how) => {
    const models = installed(join(RUGBY, 'base', 'config.json'), how);
    const run = await runCli(['build', '--base', name, '--type', 'F16', '--out', join(fresh(), 'x.gguf'), '--json'], {
      env: { ...process.env, OLLAMA_MODELS: models, OLLAMA_HOST: '127.0.0.1:9' },
    });
    expect(run.code).toBe(1);
    expect(errorCode(run)).toBe(code);
  });
});

/** A models folder as Ollama lays it out, with one model `rugby`. */
function installed(
  file: string,
  { adapter = false, digest = `sha256:${'ab'.repeat(32)}` }: { adapter?: boolean; digest?: string },
): string {
  const models = fresh();
  const write = (path: string, data: string | Buffer): void => {
    mkdirSync(dirname(join(models, path)), { recursive: true });
    writeFileSync(join(models, path), data);
  };
  const layers = [
    { mediaType: 'application/vnd.ollama.image.model', digest, size: 1 },
    ...(adapter ? [{ mediaType: 'application/vnd.ollama.image.adapter', digest, size: 1 }] : []),
  ];
  write('manifests/registry.ollama.ai/library/rugby/latest', JSON.stringify({ schemaVersion: 2, layers }));
  write(`blobs/sha256-${'ab'.repeat(32)}`, readFileSync(file));
  return models;
}
