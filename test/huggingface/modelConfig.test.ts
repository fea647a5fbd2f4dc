import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../src/core/engine/architectures/architecture';
import { ARCHITECTURES, findArchitecture } from '../../src/core/engine/architectures/architectures';
import { readModelConfig } from '../../src/core/engine/architectures/readModelConfig';
import { mapTensor, requiredTensors, tensorNames } from '../../src/core/engine/architectures/tensorTable';
import { normaliseTensorName } from '../../src/core/formats/huggingface/tensorNames';
import { buildMetadata } from '../../src/core/engine/buildMetadata';
import type { JsonObject } from '../../src/core/json';
import { FIXTURES, sha256 } from './fixtureModel';

function spec(name: string, changes: JsonObject = {}): JsonObject {
  const { config } = JSON.parse(readFileSync(join(FIXTURES, `specs/${name}.json`), 'utf8')) as { config: JsonObject };
  return { ...config, ...changes };
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'no error';
  } catch (error) {
    return (error as { code?: string }).code ?? `untyped: ${String(error)}`;
  }
}

describe('readModelConfig', () => {
  it.each([
    'llama3',
    'mistral',
    'qwen2',
    'qwen3',
    'gemma2',
    'gemma3',
    'granite',
    'mixtral',
    'phi3',
    'qwen3moe',
    'smollm3',
  ])('reads the numbers of %s', (name) => {
    const json = spec(name);
    const config = readModelConfig(json);
    expect([
      config.layers,
      config.hiddenSize,
      config.feedForward,
      config.heads,
      config.kvHeads,
      config.vocabSize,
    ]).toEqual([
      json['num_hidden_layers'],
      json['hidden_size'],
      json['intermediate_size'],
      json['num_attention_heads'],
      json['num_key_value_heads'],
      json['vocab_size'],
    ]);
    expect(config.ropeTheta).toBe(json['rope_theta']);
  });

  it('takes every value of a multimodal checkpoint from its text_config', () => {
    const text = {
      hidden_size: 256,
      intermediate_size: 768,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      vocab_size: 600,
      rope_scaling: { factor: 8, rope_type: 'linear' },
      model_type: 'gemma3_text',
    };
    const config = readModelConfig({
      architectures: ['Gemma3ForConditionalGeneration'],
      vision_config: { hidden_size: 1 },
      text_config: text,
      vocab_size: 1,
    });
    expect(config).toMatchObject({
      vocabSize: 600,
      headDim: 256,
      contextLength: 131_072,
      ropeTheta: 1_000_000,
      tiedEmbeddings: true,
    });
    expect(config.ropeScaling).toMatchObject({ rope_type: 'linear', factor: 8 });
  });

  it('has one file for every class and no class twice', () => {
    const classes = ARCHITECTURES.flatMap((architecture) => architecture.classes);
    expect(new Set(classes).size).toBe(classes.length);
    for (const architecture of ARCHITECTURES) {
      expect(Object.keys(architecture.defaults).sort()).toEqual([...architecture.classes].sort());
    }
  });

  it('names the class, what is built in and the route that works', () => {
    expect(() => findArchitecture('FalconForCausalLM')).toThrow(
      expect.objectContaining({
        code: 'model/architecture',
        message: expect.stringMatching(
          /FalconForCausalLM.*Qwen3.*convert_hf_to_gguf\.py.*modelfile-studio quantize/s,
        ) as string,
      }) as Error,
    );
  });

  it.each<[string, string, JsonObject]>([
    ['no layers', 'llama3', { num_hidden_layers: 0 }],
    ['a thousand million layers', 'llama3', { num_hidden_layers: 1e9 }],
    ['a fraction of a layer', 'llama3', { num_hidden_layers: 1.5 }],
    ['layers as text', 'llama3', { num_hidden_layers: '4' }],
    ['a negative width', 'qwen3', { hidden_size: -256 }],
    ['a width that is a list', 'qwen3', { hidden_size: [256] }],
    ['an infinite width', 'qwen3', { hidden_size: Infinity }],
    ['no width', 'qwen3', { hidden_size: null }],
    ['heads that do not divide', 'llama3', { num_attention_heads: 3, num_key_value_heads: 3 }],
    ['grouped heads that do not divide', 'llama3', { num_key_value_heads: 3 }],
    ['odd heads', 'qwen3', { head_dim: 63 }],
    ['a rotary base of zero', 'llama3', { rope_theta: 0 }],
    ['a rotary base as text', 'llama3', { rope_theta: '1e6' }],
    ['an epsilon of zero', 'llama3', { rms_norm_eps: 0 }],
    ['a scaling that is a number', 'llama3', { rope_scaling: 8 }],
    ['linear scaling without a factor', 'qwen2', { rope_scaling: { type: 'linear' } }],
    ['scaling that a GGUF cannot say', 'qwen2', { rope_scaling: { type: 'dynamic', factor: 2 } }],
    ['Llama 3 scaling on Qwen', 'qwen2', { rope_scaling: { rope_type: 'llama3', factor: 8 } }],
    [
      'Llama 3 scaling with equal bounds',
      'llama3',
      { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
    ],
    ['half of each head rotated', 'llama3', { partial_rotary_factor: 0.5 }],
    ['another activation', 'llama3', { hidden_act: 'gelu' }],
    ['more experts used than there are', 'mixtral', { num_experts_per_tok: 9 }],
    ['dense layers among experts', 'qwen3moe', { mlp_only_layers: [1] }],
    ['an expert width of zero', 'qwen3moe', { moe_intermediate_size: 0 }],
    ['rotary positions everywhere', 'smollm3', { no_rope_layers: [1, 1, 1, 1] }],
    ['long context without factors', 'phi3', { rope_scaling: { type: 'longrope' } }],
    ['too few factors', 'phi3', { rope_scaling: { type: 'longrope', long_factor: [1], short_factor: [1] } }],
    ['a soft cap of null', 'gemma2', { attn_logit_softcapping: null }],
    ['a soft cap on Gemma 3', 'gemma3', { attn_logit_softcapping: 50 }],
    ['a multiplier as text', 'granite', { logits_scaling: '8' }],
    ['no class', 'llama3', { architectures: [] }],
    ['a class that is a number', 'llama3', { architectures: [1] }],
  ])('refuses %s', (_, name, changes) => {
    // Some settings are only read when the keys or tensors are made.
    const work = (): void => {
      const config = readModelConfig(spec(name, changes));
      const architecture = findArchitecture(config.className);
      architecture.hyperparameters(config);
      architecture.lateParameters?.(config);
      architecture.generatedTensors?.(config);
    };
    expect(codeOf(work)).toBe('model/config');
  });

  it('leaves keys like __proto__ and constructor alone', () => {
    const json = JSON.parse(
      '{"__proto__": {"num_hidden_layers": 9}, "constructor": 1, "architectures": ["constructor"]}',
    ) as JsonObject;
    expect(codeOf(() => readModelConfig(json))).toBe('model/architecture');
    expect(({} as Record<string, unknown>)['num_hidden_layers']).toBeUndefined();
  });
});

it('refuses a Qwen3 reranker, whose class is that of the chat model', () => {
  const config = readModelConfig(spec('qwen3'));
  const model = {
    path: 'P',
    directoryName: 'Qwen3-Reranker-0.6B',
    config: config.raw,
    tokenizer: { directory: 'P' },
    tensors: new Map(),
  };
  expect(
    codeOf(() =>
      buildMetadata(model, config, findArchitecture('Qwen3ForCausalLM'), {
        fileType: 0,
        tensors: [],
        vocabRows: 640,
        sha256,
      }),
    ),
  ).toBe('model/purpose');
});

describe('mapTensor', () => {
  const config = readModelConfig(spec('llama3'));
  const architecture = findArchitecture('LlamaForCausalLM');
  const map = (name: string, of: ModelConfig): unknown => {
    const places = mapTensor(architecture, name, of);
    return typeof places === 'string' || places === undefined
      ? places
      : { name: places[0]?.name, transform: places[0]?.transform, count: places.length };
  };

  it.each([
    ['model.layers.3.self_attn.q_proj.weight', 'blk.3.attn_q.weight', { kind: 'permute', heads: 4 }],
    ['model.layers.3.self_attn.k_proj.bias', 'blk.3.attn_k.bias', { kind: 'permute', heads: 2 }],
    ['model.language_model.layers.0.mlp.up_proj.weight', 'blk.0.ffn_up.weight', { kind: 'none' }],
    ['language_model.model.layers.0.mlp.up_proj.weight', 'blk.0.ffn_up.weight', { kind: 'none' }],
    ['language_model.lm_head.weight', 'output.weight', { kind: 'none' }],
    ['model.embed_tokens.weight', 'token_embd.weight', { kind: 'none' }],
  ])('knows %s', (name, to, transform) => {
    expect(map(name, config)).toEqual({ name: to, transform, count: 1 });
  });

  it.each([
    'model.layers.0.self_attn.rotary_emb.inv_freq',
    'model.rotary_emb.inv_freq',
    'vision_tower.encoder.weight',
    'model.vision_tower.x.weight',
    'multi_modal_projector.linear.weight',
  ])('drops %s', (name) => {
    expect(map(name, config)).toBe('drop');
  });

  it.each([
    'model.layers.4.self_attn.q_proj.weight',
    'model.layers.-1.mlp.up_proj.weight',
    'model.layers.0.mlp.constructor.weight',
    'model.layers.0.__proto__.weight',
    'toString.weight',
    'model.layers.0.self_attn.q_proj.scales',
    '',
    'model.layers.99999999999.mlp.up_proj.weight',
  ])('does not know %s', (name) => {
    expect(map(name, config)).toBeUndefined();
  });

  it('maps experts, under the names of Qwen and of Mixtral', () => {
    const moe = readModelConfig(spec('qwen3moe'));
    const qwen = findArchitecture('Qwen3MoeForCausalLM');
    const map = (name: string, of: ModelConfig): ReturnType<typeof mapTensor> => mapTensor(qwen, name, of);
    expect(map('model.layers.1.mlp.experts.3.down_proj.weight', moe)).toEqual([
      {
        name: 'blk.1.ffn_down_exps.weight',
        transform: { kind: 'none' },
        stack: { expert: 3, experts: 4 },
      },
    ]);
    expect(map('model.layers.1.block_sparse_moe.experts.3.w2.weight', moe)).toEqual(
      map('model.layers.1.mlp.experts.3.down_proj.weight', moe),
    );
    expect(map('model.layers.1.mlp.experts.4.down_proj.weight', moe)).toBeUndefined();
  });

  it('normalises names that need no change to themselves', () => {
    expect(normaliseTensorName('model.layers.0.mlp.up_proj.weight')).toBe('model.layers.0.mlp.up_proj.weight');
  });

  it.each(readdirSync(join(FIXTURES, 'specs')).map((file) => file.replace(/\.json$/, '')))(
    'reads the table of %s both ways: every required tensor has a name that leads to it',
    (name) => {
      const of = readModelConfig(spec(name));
      const family = findArchitecture(of.className);
      const places = [...tensorNames(family, of)].flatMap((path) => {
        const found = mapTensor(family, path, of);
        expect(found, path).not.toBeUndefined();
        return found === 'drop' || found === undefined ? [] : found.map((place) => place.name);
      });
      expect(requiredTensors(family, of).filter((required) => !places.includes(required))).toEqual([]);
    },
  );
});
