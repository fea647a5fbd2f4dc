import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCliOk } from '../support/cli';
import { converterOrSkip, runConverter } from '../support/converter';
import { makeModel, temporaryFolder } from '../support/models';
import { findRealOllama, NO_LLAMA, NO_OLLAMA, RealOllama } from '../support/realOllama';
import { writeTree } from '../adapters/adapterFiles';

const LONG = 600_000;
const folder = temporaryFolder();

function embeddingModel(spec: string, pooling: string): string {
  const base = join(folder, `${spec}-embedding`);
  cpSync(join(makeModel(spec, folder), 'base'), base, { recursive: true });
  writeTree(base, {
    'modules.json': [
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    ],
    '1_Pooling/config.json': { word_embedding_dimension: 256, [pooling]: true },
  });
  return base;
}

it("embedding models are the converter's, byte for byte", { timeout: LONG }, async (context) => {
  const python = converterOrSkip(context);
  const bases = [
    embeddingModel('qwen3', 'pooling_mode_lasttoken'),
    embeddingModel('qwen2', 'pooling_mode_mean_tokens'),
  ];
  const jobs = bases.map((model) => ({
    do: 'convert' as const,
    model,
    outtype: 'bf16',
    out: `${model}.theirs.gguf`,
    pre: 'qwen2',
  }));
  expect(await runConverter(python, folder, jobs)).toEqual(jobs.map(() => ({ ok: true })));
  for (const model of bases) {
    await runCliOk(['convert', '--base', model, '--type', 'bf16', '--out', `${model}.gguf`, '--force']);
    expect(readFileSync(`${model}.gguf`).equals(readFileSync(`${model}.theirs.gguf`)), model).toBe(true);
  }
});

it('create proves an embedding model with an embedding', { timeout: LONG }, async (context) => {
  const found = await findRealOllama();
  if (found?.runsModels !== true) {
    console.log(`skipped: ${context.task.name} (${found === undefined ? NO_OLLAMA : NO_LLAMA})`);
    context.skip();
    return;
  }
  const model = embeddingModel('qwen3', 'pooling_mode_lasttoken');
  await runCliOk(['convert', '--base', model, '--type', 'f16', '--out', join(folder, 'e.gguf'), '--force']);
  writeFileSync(join(folder, 'Modelfile'), 'FROM ./e.gguf\n');
  const ollama = await RealOllama.start(found.path);
  try {
    const made = await runCliOk(['create', 'proof', '-f', join(folder, 'Modelfile')], { env: ollama.environment });
    expect(made['answer']).toMatch(/^an embedding of 256 numbers; two unlike texts have a cosine of -?\d\.\d\d$/);
    const vectors = await ollama.client().embed('proof', ['one text', 'another one']);
    expect(vectors.map((vector) => vector.length)).toEqual([256, 256]);
  } finally {
    await ollama.stop();
  }
});
