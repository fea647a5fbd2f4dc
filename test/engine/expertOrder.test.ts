import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { makeFrom, temporaryFolder } from '../support/models';
import { readTensors } from '../support/tensors';

// Files name experts in text order, where 10 stands before 2: with fewer than eleven experts no test can see which order a stack has.
const folder = temporaryFolder();

/** A Qwen3 MoE of so many experts, with a LoRA on all of them. */
function moeOf(experts: number): { readonly base: string; readonly adapter: string } {
  const spec = JSON.parse(readFileSync(join(FIXTURES, 'specs/qwen3moe.json'), 'utf8')) as {
    config: Record<string, unknown>;
  };
  const small = { hidden_size: 64, num_attention_heads: 1, num_key_value_heads: 1, moe_intermediate_size: 32 };
  Object.assign(spec.config, small, { num_hidden_layers: 1, num_experts: experts, torch_dtype: 'float32' });
  const out = join(folder, `experts-${experts}`);
  mkdirSync(out);
  writeFileSync(join(out, 'spec.json'), JSON.stringify({ ...spec, dtype: 'f32' }));
  makeFrom(join(out, 'spec.json'), out);
  return { base: join(out, 'base'), adapter: join(out, 'lora') };
}

/** The f32 values of a tensor, cut into as many equal slices as there are experts. */
function slices(path: string, name: string, experts: number): Float32Array[] {
  const { dataOffset, tensors } = describeGguf(path);
  const tensor = tensors.find((candidate) => candidate.name === name)!;
  expect([tensor.type, tensor.shape.at(-1)], name).toEqual(['F32', experts]);
  const bytes = Uint8Array.from(
    readFileSync(path).subarray(dataOffset + tensor.offset, dataOffset + tensor.offset + tensor.bytes),
  );
  const values = new Float32Array(bytes.buffer);
  const length = values.length / experts;
  return Array.from({ length: experts }, (_, expert) => values.subarray(expert * length, (expert + 1) * length));
}

describe.each([12, 128])('%i experts', (experts) => {
  const { base, adapter } = moeOf(experts);

  it.each([
    ['ffn_gate_exps', 'gate_proj'],
    ['ffn_up_exps', 'up_proj'],
    ['ffn_down_exps', 'down_proj'],
  ])('stand in the order of their numbers in %s', async (stack, projection) => {
    const out = join(folder, `${experts}-${stack}.gguf`);
    await runCliOk(['convert', '--base', base, '--type', 'F32', '--out', out]);
    const weights = readTensors(base);
    for (const [expert, found] of slices(out, `blk.0.${stack}.weight`, experts).entries()) {
      const { values } = weights.get(`model.layers.0.mlp.experts.${expert}.${projection}.weight`)!;
      expect(found, `expert ${expert}`).toEqual(Float32Array.from(values));
    }
  });

  it('have their factors in that order in an adapter GGUF', async () => {
    const out = join(folder, `${experts}-adapter.gguf`);
    await runCliOk(['convert-adapter', '--adapter', adapter, '--base', base, '--type', 'F32', '--out', out]);
    const factors = readTensors(adapter);
    for (const side of ['a', 'b'] as const) {
      for (const [expert, found] of slices(out, `blk.0.ffn_up_exps.weight.lora_${side}`, experts).entries()) {
        const name = `base_model.model.model.layers.0.mlp.experts.${expert}.up_proj.lora_${side.toUpperCase()}.weight`;
        expect(found, name).toEqual(Float32Array.from(factors.get(name)!.values));
      }
    }
  });
});
