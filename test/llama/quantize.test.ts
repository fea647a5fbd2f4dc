import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { FILE_TYPES, type FileTypeName } from '../../src/core/engine/fileTypes';
import { FIXTURES, runCli, runCliOk } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { importanceOf, writeGgufImatrix, writeLegacyImatrix } from '../support/imatrixFiles';
import { llamaQuantizeOrSkip, type LlamaQuantizeRequest } from '../support/llamaQuantize';
import { makeModel, temporaryFolder } from '../support/models';

const work = temporaryFolder();
const MODELS = ['rugby', 'qwen2-narrow', 'llama2-spm'];
type Options = Omit<LlamaQuantizeRequest, 'input' | 'output' | 'fileType' | 'imatrix' | 'keys'>;

const inputs = new Map<string, string>();
async function inputOf(model: string, type = 'F16'): Promise<string> {
  const path = join(work, `${model}-${type}.gguf`);
  if (!inputs.has(path)) {
    const base = model === 'rugby' ? join(FIXTURES, 'rugby/base') : join(makeModel(model, work), 'base');
    await runCliOk(['convert', '--base', base, '--type', type, '--out', path]);
    inputs.set(path, path);
  }
  return path;
}

function argumentsOf(options: Options): string[] {
  return [
    ...(options.tensorTypes ?? []).flatMap(([pattern, type]) => ['--tensor-type', `${pattern}=${type}`]),
    ...(options.outputTensorType === undefined ? [] : ['--output-tensor-type', options.outputTensorType]),
    ...(options.tokenEmbeddingType === undefined ? [] : ['--token-embedding-type', options.tokenEmbeddingType]),
    ...(options.pure === true ? ['--pure'] : []),
    ...(options.leaveOutputTensor === true ? ['--leave-output-tensor'] : []),
    ...(options.allowRequantize === true ? ['--allow-requantize'] : []),
  ];
}

interface Importance {
  readonly path: string;
  readonly imatrix: ReadonlyMap<string, Float32Array>;
  readonly keys: readonly (readonly [string, string | number])[];
}

/** Both quantise the same file; the two results must be the same, byte for byte. */
async function compare(
  context: TestContext,
  input: string,
  fileType: FileTypeName,
  options: Options = {},
  importance?: Importance,
): Promise<void> {
  const quantize = llamaQuantizeOrSkip(context);
  const [ours, theirs] = [join(work, 'ours.gguf'), join(work, 'theirs.gguf')];
  const { path, ...theirImportance } = importance ?? { path: undefined };
  quantize({ input, output: theirs, fileType, ...options, ...theirImportance });
  await runCliOk([
    'quantize',
    input,
    ours,
    fileType,
    ...argumentsOf(options),
    ...(path === undefined ? [] : ['--imatrix', path]),
  ]);
  const same = readFileSync(ours).equals(readFileSync(theirs));
  if (!same) {
    // Says where.
    expect(describeGguf(ours)).toEqual(describeGguf(theirs));
  }
  expect(same).toBe(true);
  rmSync(ours);
  rmSync(theirs);
}

describe.each(MODELS)('%s', (model) => {
  it.for((Object.keys(FILE_TYPES) as FileTypeName[]).filter((type) => type !== 'MXFP4_MOE'))(
    'F16 to %s',
    async (type, context) => {
      await compare(context, await inputOf(model), type);
    },
  );

  it.for(['Q4_K_M', 'Q2_K', 'Q3_K_L', 'Q5_K_S', 'Q6_K', 'Q4_0', 'Q5_0', 'Q5_1', 'Q8_0', 'IQ4_XS', 'IQ4_NL'] as const)(
    'F16 to %s with an importance matrix of either format',
    async (type, context) => {
      const input = await inputOf(model);
      const { sums, counts, imatrix } = importanceOf(describeGguf(input).tensors);
      const shared = [
        ['quantize.imatrix.entries_count', imatrix.size],
        ['quantize.imatrix.chunks_count', 7],
      ] as const;
      for (const write of [writeLegacyImatrix, writeGgufImatrix]) {
        const path = join(work, `${model}.imatrix`);
        write(path, sums, counts);
        await compare(
          context,
          input,
          type,
          {},
          {
            path,
            imatrix,
            keys: [['quantize.imatrix.file', path], ['quantize.imatrix.dataset', 'a text.txt'], ...shared],
          },
        );
      }
    },
  );
});

const CASES: readonly (readonly [what: string, type: FileTypeName, options: Options])[] = [
  [
    '--tensor-type, several',
    'Q4_K_M',
    {
      tensorTypes: [
        ['attn_v', 'Q8_0'],
        ['blk\\.[01]\\.ffn_down', 'Q6_K'],
        ['ATTN_K', 'Q5_1'],
      ],
    },
  ],
  [
    '--tensor-type, the first match wins',
    'Q5_K_M',
    {
      tensorTypes: [
        ['ffn', 'Q3_K'],
        ['ffn_down', 'Q8_0'],
      ],
    },
  ],
  ['--tensor-type of the embedding', 'Q4_K_M', { tensorTypes: [['token_embd', 'Q8_0']] }],
  ['--tensor-type F16', 'Q4_K_S', { tensorTypes: [['attn', 'F16']] }],
  ['--tensor-type with BF16 as target', 'BF16', { tensorTypes: [['attn_v', 'Q8_0']] }],
  ['--output-tensor-type', 'Q4_K_M', { outputTensorType: 'Q8_0' }],
  ['--output-tensor-type F16', 'Q5_K_S', { outputTensorType: 'F16' }],
  ['--output-tensor-type with F16 as target', 'F16', { outputTensorType: 'Q8_0' }],
  [
    '--output-tensor-type against --tensor-type',
    'Q4_K_M',
    {
      outputTensorType: 'Q8_0',
      tensorTypes: [
        ['output', 'Q5_0'],
        ['token_embd', 'Q4_1'],
      ],
    },
  ],
  ['--output-tensor-type with --pure', 'Q4_K_M', { outputTensorType: 'Q8_0', pure: true }],
  ['--token-embedding-type', 'Q4_K_M', { tokenEmbeddingType: 'Q8_0' }],
  ['--token-embedding-type with F16 as target', 'F16', { tokenEmbeddingType: 'Q8_0' }],
  [
    '--token-embedding-type against --tensor-type',
    'Q3_K_M',
    { tokenEmbeddingType: 'BF16', tensorTypes: [['token_embd', 'Q8_0']] },
  ],
  ['both head options', 'Q4_K_M', { tokenEmbeddingType: 'Q4_0', outputTensorType: 'Q5_1' }],
  ['--pure', 'Q4_K_M', { pure: true }],
  ['--pure with --tensor-type', 'Q3_K_L', { pure: true, tensorTypes: [['attn_q', 'Q8_0']] }],
  ['--leave-output-tensor', 'Q4_K_M', { leaveOutputTensor: true }],
  ['--leave-output-tensor with --output-tensor-type', 'Q4_K_M', { leaveOutputTensor: true, outputTensorType: 'Q8_0' }],
];

describe.each(MODELS)('options on %s', (model) => {
  it.for(CASES)('%s, %s', async ([, type, options], context) => {
    await compare(context, await inputOf(model), type, options);
  });

  it.for([
    ['Q8_0', 'Q4_K_M'],
    ['Q8_0', 'Q8_0'],
    ['Q8_0', 'F16'],
    ['BF16', 'Q4_K_M'],
    ['F32', 'Q4_K_M'],
    ['F32', 'BF16'],
  ] as const)('%s to %s, with --allow-requantize', async ([from, type], context) => {
    await compare(context, await inputOf(model, from), type, { allowRequantize: true });
  });
});

it.for(['Q4_K_M', 'Q6_K', 'Q5_1', 'Q4_0', 'Q2_K', 'Q3_K_M', 'IQ4_XS', 'IQ4_NL'] as const)(
  '%s to Q4_K_S, with --allow-requantize',
  async (from, context) => {
    const quantize = llamaQuantizeOrSkip(context);
    const input = join(work, `from-${from}.gguf`);
    quantize({ input: await inputOf('rugby'), output: input, fileType: from });
    await compare(context, input, 'Q4_K_S', { allowRequantize: true });
  },
);

describe('what llama-quantize aborts on or refuses is refused with the reason', () => {
  it('an explicit type that rows do not divide into', async () => {
    const out = join(work, 'refused.gguf');
    const run = await runCli([
      'quantize',
      await inputOf('qwen2-narrow'),
      out,
      'Q4_K_M',
      '--token-embedding-type',
      'Q4_K',
      '--json',
    ]);
    expect(run.code).toBe(1);
    expect(run.json).toMatchObject({ ok: false, error: { code: 'quantize/shape' } });
    expect(existsSync(out)).toBe(false);
  });

  it('an input that is quantised already', async (context) => {
    const input = await inputOf('rugby', 'Q8_0');
    const out = join(work, 'refused.gguf');
    const run = await runCli(['quantize', input, out, 'Q4_K_M', '--json']);
    expect(run.code).toBe(1);
    expect(run.json).toMatchObject({ ok: false, error: { code: 'quantize/requantize' } });
    expect(existsSync(out)).toBe(false);
    expect(() => {
      llamaQuantizeOrSkip(context)({ input, output: join(work, 'theirs.gguf'), fileType: 'Q4_K_M' });
    }).toThrow(/requantizing from type q8_0 is disabled/);
  });
});
