import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inspectPath } from '../../src/node/artefacts/inspectPath';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { buildGguf, textKey, tokensKey, u32Key } from '../hostile/ggufBuilder';
import { Random } from '../support/random';
import { below, model, modelShapes, peft, safetensorsBytes, temporaryFolder, trainerFiles, writeTree } from './folders';

const SEED = 20_260_901;
const ROUNDS = 400;

/** Changes, cuts, repeats or swaps a few bytes; in JSON often a number, a brace or a quote. */
function mutate(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let change = 0; change <= random.below(4); change++) {
    const at = random.below(Math.max(1, Math.min(copy.length, 600)));
    copy[at] = random.pick([random.below(256), 0x22, 0x7b, 0x5d, 0x2d, 0x39, 0x00, 0xff]);
  }
  return random.chance(0.2) ? copy.subarray(0, random.below(copy.length + 1)) : copy;
}

function bufferOf(content: unknown): Buffer {
  return content instanceof Uint8Array
    ? Buffer.from(content)
    : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
}

test(`no mutation of any file that is read leads to an unforeseen failure (seed ${SEED})`, async () => {
  const random = new Random(SEED);
  const index = {
    weight_map: Object.fromEntries(Object.keys(modelShapes()).map((name) => [name, 'model.safetensors'])),
  };
  const record = {
    format: 'modelfile-studio build 1',
    base: { path: 'b' },
    adapters: [{ path: 'a', weight: 1 }],
    inputs: [{ path: 'x', size: 1, modified: '1' }],
  };
  const files: Record<string, unknown> = {
    ...below('base', {
      ...model(),
      'model.safetensors.index.json': index,
      'README.md': '---\nbase_model: a\ntags:\n- x\n---\n',
    }),
    ...below('run/checkpoint-5', { ...peft({ rank_pattern: { q_proj: 8 } }), ...trainerFiles(5, 'x/checkpoint-5') }),
    ...below('mlx', {
      'adapter_config.json': { fine_tune_type: 'lora', lora_parameters: { rank: 8, scale: 2 } },
      'adapters.safetensors': safetensorsBytes({
        'model.layers.0.self_attn.q_proj.lora_a': [32, 8],
        'model.layers.0.self_attn.q_proj.lora_b': [8, 64],
      }),
    }),
    'x.gguf': buildGguf({
      keys: [textKey('general.architecture', 'qwen3'), u32Key('qwen3.block_count', 2), tokensKey(['a', 'b'])],
      tensors: [{ name: 'a.weight', dimensions: [8n, 2n] }],
    }),
    'x.gguf.build.json': record,
  };
  const names = Object.keys(files);
  const folder = writeTree(temporaryFolder(), files);
  for (let round = 0; round < ROUNDS; round++) {
    const name = random.pick(names);
    writeTree(folder, { [name]: mutate(random, bufferOf(files[name])) });
    const artefacts = await collectArtefacts([folder]);
    const answer = await inspectPath(join(folder, name));
    const seen = [
      ...artefacts.flatMap(({ problems }) => problems.map(({ code }) => code)),
      answer.ok ? '' : answer.error.code,
    ];
    expect(
      seen.filter((code) => code.startsWith('internal/')),
      `round ${round}, ${name}`,
    ).toEqual([]);
    expect(artefacts.length, `round ${round}, ${name}`).toBeGreaterThan(3);
    writeTree(folder, { [name]: files[name] });
  }
});
