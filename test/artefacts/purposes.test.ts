import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeArtefact } from '../../src/core/artefacts/describeArtefact';
import { purposeOfClass } from '../../src/core/formats/huggingface/modelPurpose';
import { findArchitecture } from '../../src/core/engine/architectures/architectures';
import { StudioError } from '../../src/core/errors';
import { inspectPath } from '../../src/node/artefacts/inspectPath';
import { loadAdapter } from '../../src/node/inputs/loadAdapter';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { prepareFuse } from '../../src/node/engine/prepareBuild';
import { FIXTURES } from '../support/cli';
import { safetensorsBytes, temporaryFolder, writeTree, type Shapes } from '../adapters/adapterFiles';
import { codes, model, modelConfig, modelShapes, peft, scanTree } from './folders';

const RUGBY = join(FIXTURES, 'rugby');

describe('what a class is for', () => {
  test.each([
    ['Qwen3ForSequenceClassification', 'classifier'],
    ['LlamaForTokenClassification', 'token-classifier'],
    ['LlamaForQuestionAnswering', 'question-answering'],
    ['LlamaForRewardModel', 'reward'],
    ['InternLM2ForRewardModel', 'reward'],
    ['XLMRobertaForSequenceClassification', 'reranker'],
    ['BertModel', 'embedding'],
    ['NomicBertModel', 'embedding'],
    ['XLMRobertaModel', 'embedding'],
    ['WhisperForConditionalGeneration', 'speech'],
    ['Wav2Vec2ForCTC', 'speech'],
    ['SpeechT5ForTextToSpeech', 'speech'],
    ['T5ForConditionalGeneration', 'encoder-decoder'],
    ['MarianMTModel', 'encoder-decoder'],
    ['BartForConditionalGeneration', 'encoder-decoder'],
  ])('%s: %s, which is what its refusal says', (name, purpose) => {
    expect(purposeOfClass(name)).toBe(purpose);
    const refusal = caught(() => findArchitecture(name));
    expect(refusal).toMatchObject({ code: 'model/purpose', detail: { purpose } });
    expect(refusal.message).not.toContain('fetch');
  });

  test.each([
    'Qwen3ForCausalLM',
    'GPT2LMHeadModel',
    'FalconForCausalLM',
    'LlavaForConditionalGeneration',
    'Gemma3ForConditionalGeneration',
    'BloomModel',
  ])('%s writes text, as far as its name tells', (name) => {
    expect(purposeOfClass(name)).toBeUndefined();
  });
});

describe('folders of other purposes: scan, inspect and the tree say what they are', () => {
  const folder = (architecture: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    ...model(),
    'config.json': { ...modelConfig(), architectures: [architecture], ...more },
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a classifier', folder('Qwen3ForSequenceClassification', { id2label: { 0: 'a', 1: 'b' } }), 'classifier'],
    ['a reward model', folder('Qwen3ForSequenceClassification', { id2label: { 0: 'LABEL_0' } }), 'reward'],
    ['a cross-encoder', folder('XLMRobertaForSequenceClassification', { id2label: { 0: 'LABEL_0' } }), 'reranker'],
    [
      'a classifier of an encoder',
      folder('BertForSequenceClassification', { id2label: { 0: 'a', 1: 'b' } }),
      'classifier',
    ],
    ['speech', folder('WhisperForConditionalGeneration'), 'speech'],
  ])('%s', async (_what, files, purpose) => {
    const artefact = (await scanTree(files)).get('.');
    expect(artefact).toMatchObject({ kind: 'model', purpose });
    expect(codes(artefact)).toEqual(['model/purpose']);
    expect(describeArtefact(artefact!)).toContain(purpose);
    const root = writeTree(temporaryFolder(), files);
    expect(await inspectPath(root)).toMatchObject({ ok: true, purpose });
    await expect(prepareBuild(request(root))).rejects.toMatchObject({ code: 'model/purpose' });
  });

  test('an embedding model is no fault', async () => {
    const artefact = (await scanTree(folder('BertModel'))).get('.');
    expect(artefact).toMatchObject({ purpose: 'embedding', problems: [] });
    const pooled = (
      await scanTree({
        ...model(),
        'modules.json': [{ idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' }],
      })
    ).get('.');
    expect(pooled).toMatchObject({ purpose: 'embedding', problems: [] });
    expect(describeArtefact(pooled!)).toContain('embedding');
  });

  test('a scoring head in a folder that calls itself a language model is seen', async () => {
    const root = writeTree(temporaryFolder(), {
      ...model(),
      'config.json': { ...modelConfig(), intermediate_size: 96, num_key_value_heads: 4, head_dim: 8 },
      'model.safetensors': safetensorsBytes({ ...modelShapes(), 'score.weight': ['BF16', [2, 32]] }),
    });
    await expect(prepareBuild(request(root))).rejects.toMatchObject({ code: 'model/purpose' });
    expect(await inspectPath(root)).toMatchObject({ purpose: 'classifier', problems: [{ code: 'model/purpose' }] });
  });

  test("TRL's value head is left out of a model, and said to be", async () => {
    const shapes: Shapes = { ...modelShapes(), 'v_head.summary.weight': [1, 32], 'v_head.summary.bias': [1] };
    const root = writeTree(temporaryFolder(), { ...model(), 'model.safetensors': safetensorsBytes(shapes) });
    const loaded = await loadHuggingFaceModel(root);
    expect([...loaded.tensors.keys()].sort()).toEqual(Object.keys(modelShapes()).sort());
    expect(loaded.notes?.map(({ code }) => code)).toEqual(['model/value-head']);
  });
});

describe('adapters of other purposes', () => {
  const trained = (shapes: Shapes, config: Record<string, unknown> = {}): Record<string, unknown> => ({
    ...peft(config),
    'adapter_model.safetensors': safetensorsBytes(
      {
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': [8, 256],
        'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': [256, 8],
        ...shapes,
      },
      undefined,
      1,
    ),
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a head alone', trained({ 'base_model.model.score.weight': [2, 256] }), 'classifier'],
    ['a head of one score', trained({ 'base_model.model.score.weight': [1, 256] }, { task_type: 'SEQ_CLS' }), 'reward'],
    [
      'a head under modules_to_save',
      trained({ 'base_model.model.score.modules_to_save.default.weight': [3, 256] }),
      'classifier',
    ],
    ['a task alone', trained({}, { task_type: 'SEQ_CLS' }), 'classifier'],
    [
      'tokens',
      trained({ 'base_model.model.classifier.weight': [9, 256] }, { task_type: 'TOKEN_CLS' }),
      'token-classifier',
    ],
    [
      'a two-layer head',
      trained({
        'base_model.model.classifier.dense.weight': [256, 256],
        'base_model.model.classifier.out_proj.weight': [3, 256],
      }),
      'classifier',
    ],
  ])('%s: said by scan and loader, refused by build', async (_what, files, purpose) => {
    const artefact = (await scanTree(files)).get('.');
    expect(artefact).toMatchObject({ kind: 'peft-adapter', purpose });
    expect(codes(artefact)).toContain('model/purpose');
    const adapter = writeTree(temporaryFolder(), files);
    expect((await loadAdapter(adapter)).purpose?.purpose).toBe(purpose);
    await expect(
      prepareBuild({ ...request(join(RUGBY, 'base')), adapters: [{ path: adapter, weight: 1 }] }),
    ).rejects.toMatchObject({ code: 'model/purpose', detail: { purpose } });
  });

  test('a value head is left out with a note, and no tick says otherwise', async () => {
    const adapter = writeTree(temporaryFolder(), {
      'adapter_config.json': peft()['adapter_config.json'],
      'adapter_model.safetensors': withValueHead(),
    });
    const plan = await prepareBuild({ ...request(join(RUGBY, 'base')), adapters: [{ path: adapter, weight: 1 }] });
    expect(plan.warnings.map(({ code }) => code)).toContain('adapter/value-head');
    const check = plan.checks.find(({ code }) => code === 'check/adapter-tensors');
    expect(check?.message).toBe('2 of 4 adapter tensors are used (2 left out)');
    const { plan: fused } = await prepareFuse({
      base: join(RUGBY, 'base'),
      adapters: [{ path: adapter, weight: 1 }],
      output: join(temporaryFolder(), 'fused'),
    });
    expect(fused.tensors.some(({ name }) => name.includes('v_head'))).toBe(false);
  });

  function withValueHead(): Buffer {
    return safetensorsBytes(
      {
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': [8, 256],
        'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': [qRows(), 8],
        'v_head.summary.weight': [1, 256],
        'v_head.summary.bias': [1],
      },
      undefined,
      1,
    );
  }
});

function qRows(): number {
  const header = execFileSync('head', ['-c', '20000', join(RUGBY, 'base/model.safetensors')]).toString('latin1');
  return Number(/"model\.layers\.0\.self_attn\.q_proj\.weight":\s*\{[^}]*"shape":\s*\[(\d+)/.exec(header)?.[1]);
}

function request(base: string): Parameters<typeof prepareBuild>[0] {
  return { base, adapters: [], fileType: 'F32', output: join(temporaryFolder(), 'x.gguf') } as unknown as Parameters<
    typeof prepareBuild
  >[0];
}

function caught(work: () => unknown): StudioError {
  try {
    work();
  } catch (error) {
    if (error instanceof StudioError) {
      return error;
    }
    throw error;
  }
  throw new Error('nothing was thrown');
}
