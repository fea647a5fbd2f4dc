import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readGguf } from '../../src/core/formats/gguf/readGguf';
import { editJsonText } from '../../src/core/editJsonText';
import type { Json } from '../../src/core/json';
import { openFileSource } from '../../src/node/files/fileSource';
import { runCli, runCliOk } from '../support/cli';
import { makeModel, temporaryFolder } from '../support/models';
import { readTensors, writePeft, writeTensors } from '../support/tensors';

const folder = temporaryFolder();

/** A copy of a noise model that a test may change, with its adapter `lora` beside it. */
function model(spec: string): { readonly base: string; readonly lora: string; readonly room: string } {
  const made = join(folder, spec);
  if (!existsSync(made)) {
    makeModel(spec, folder);
  }
  const room = mkdtempSync(join(folder, 'room-'));
  const [base, lora] = [join(room, 'base'), join(room, 'lora')];
  cpSync(join(made, 'base'), base, { recursive: true });
  cpSync(join(made, 'lora'), lora, { recursive: true });
  return { base, lora, room };
}

async function fuse(base: string, adapter: string, out: string, ...more: string[]): Promise<string> {
  await runCliOk(['fuse', '--base', base, '--adapter', adapter, '--out', out, ...more]);
  return out;
}

const read = (directory: string, name: string): string => readFileSync(join(directory, name), 'utf8');
const json = (directory: string, name: string): Record<string, unknown> =>
  JSON.parse(read(directory, name)) as Record<string, unknown>;

async function templateOf(gguf: string): Promise<unknown> {
  const source = await openFileSource(gguf);
  const { metadata } = await readGguf(source).finally(() => source.close());
  return metadata.get('tokenizer.chat_template')?.value;
}

describe('config.json of a merged folder', () => {
  it('keeps what the merge does not change as it was written', async () => {
    const { base, lora, room } = model('gemma2');
    const { final_logit_softcapping: softcap, ...rest } = json(base, 'config.json');
    expect(softcap).toBe(30);
    // As Python writes it: floats with a point, an exponent of two digits, its own NaN; keys in no order of ours.
    const text = JSON.stringify(rest, null, 2).replace(
      /\n}$/,
      ',\n  "final_logit_softcapping": 30.0,\n  "tiny": 1e-05,\n  "mystery": NaN,\n  "one_line": {"a": 1.50, "b": [1.0, 2]}\n}\n',
    );
    writeFileSync(join(base, 'config.json'), text);
    expect(read(await fuse(base, lora, join(room, 'out')), 'config.json')).toBe(text);
    // Another type changes its one line.
    expect(read(await fuse(base, lora, join(room, 'f32'), '--dtype', 'F32'), 'config.json')).toBe(
      text.replace('"torch_dtype": "bfloat16"', '"torch_dtype": "float32"'),
    );
  });

  it('says at every level what the tensors are', async () => {
    const { base, room } = model('gemma3');
    const { architectures, torch_dtype, ...text } = json(base, 'config.json');
    const tensors = readTensors(base);
    writeTensors(join(base, 'model.safetensors'), {
      ...Object.fromEntries([...tensors].map(([name, tensor]) => [`language_model.${name}`, tensor] as const)),
      'vision_tower.patch.weight': { shape: [2, 2], values: [1, 2, 3, 4] },
    });
    writeFileSync(
      join(base, 'config.json'),
      JSON.stringify({
        architectures: ['Gemma3ForConditionalGeneration'],
        model_type: 'gemma3',
        torch_dtype,
        quantization_config: { quant_method: 'fp8' },
        text_config: { ...text, dtype: 'float16', quantization_config: { quant_method: 'fp8' } },
        vision_config: { dtype: 'bfloat16', hidden_size: 2 },
      }),
    );
    expect(architectures).toBeDefined();
    const rows = 604;
    const columns = 256;
    const matrix = { shape: [rows, columns], values: new Float32Array(rows * columns).fill(0.25) };
    const head = { shape: [rows, columns], values: new Float32Array(rows * columns).fill(0.5) };
    const adapter = writePeft(
      join(room, 'resized'),
      { modules_to_save: ['embed_tokens', 'lm_head'] },
      { 'base_model.model.model.language_model.embed_tokens.weight': matrix, 'base_model.model.lm_head.weight': head },
    );
    const out = await fuse(base, adapter, join(room, 'out'));
    const config = json(out, 'config.json');
    expect(config).toMatchObject({
      torch_dtype: 'bfloat16',
      tie_word_embeddings: false,
      text_config: { vocab_size: rows, dtype: 'bfloat16', tie_word_embeddings: false },
      // The tower's own type, which is the one that its tensor has.
      vision_config: { dtype: 'float32', hidden_size: 2 },
    });
    expect(read(out, 'config.json')).not.toContain('quantization_config');
    // Our own reader takes the folder for what it is.
    await runCliOk(['convert', '--base', out, '--type', 'F32', '--out', join(room, 'again.gguf')]);
  });

  it('names the vocabulary where the class has a default of its own', async () => {
    const { base, room } = model('gemma3');
    // Of a Gemma 3 configuration, what a publisher leaves out is the class's default.
    const config = json(base, 'config.json');
    delete config['vocab_size'];
    writeFileSync(join(base, 'config.json'), JSON.stringify(config));
    const shape = [600, 256];
    const adapter = writePeft(
      join(room, 'embed'),
      {},
      { 'base_model.model.model.embed_tokens.weight': { shape, values: new Float32Array(600 * 256).fill(0.1) } },
    );
    expect(json(await fuse(base, adapter, join(room, 'out')), 'config.json')['vocab_size']).toBe(600);
  });

  it('is edited key by key', () => {
    const text = '{\n    "a": 1.0,\n    "b": {"c": 1e-05},\n    "d": NaN\n}\n';
    const edit = (path: string, value: Json | undefined): string =>
      editJsonText(text, [{ path: path.split('.'), value }]);
    expect(edit('b.c', 7)).toBe(text.replace('1e-05', '7'));
    expect(edit('b.c', undefined)).toBe(text.replace('"c": 1e-05', ''));
    expect(edit('b.e', true)).toBe(text.replace('1e-05', '1e-05,"e": true'));
    for (const nowhere of ['nothing', 'nothing.c', 'a.c']) {
      expect(edit(nowhere, undefined)).toBe(text);
    }
    expect(edit('nothing.c', 1)).toBe(text);
    expect(edit('a', undefined)).toBe(text.replace('"a": 1.0,\n    ', ''));
    expect(edit('b', undefined)).toBe(text.replace('\n    "b": {"c": 1e-05},', ''));
    expect(edit('d', undefined)).toBe(text.replace(',\n    "d": NaN', ''));
    expect(edit('e', false)).toBe(text.replace('NaN', 'NaN,\n    "e": false'));
    expect(editJsonText('{}', [{ path: ['a'], value: 1 }])).toBe('{"a": 1}');
    expect(editJsonText('{"a":1}', [{ path: ['b'], value: 'x' }])).toBe('{"a":1,"b": "x"}');
  });
});

describe('what lies beside the weights of a merged folder', () => {
  const COPIED: Record<string, string> = {
    'generation_config.json': '{"temperature": 1.0,\n "top_p": 0.90}\n',
    'preprocessor_config.json': '{"image_mean": [0.50, 1.0]}',
    'processor_config.json': '{"image_seq_length": 256.0}',
    'video_preprocessor_config.json': '{}',
    LICENSE: 'terms',
    'chat_template.jinja': 'main {{ messages }}',
    'additional_chat_templates/tool_use.jinja': 'tools {{ messages }}',
  };
  const LEFT = ['optimizer.pt', 'training_args.bin', 'trainer_state.json', 'adapter_config.json', 'modeling.py'];

  it('is the whole of the model, byte for byte, and nothing of its training', async () => {
    const { base, lora, room } = model('qwen3');
    mkdirSync(join(base, 'additional_chat_templates'));
    Object.entries(COPIED).forEach(([name, content]) => writeFileSync(join(base, name), content));
    LEFT.forEach((name) => writeFileSync(join(base, name), '{}'));
    const out = await fuse(base, lora, join(room, 'out'));
    for (const name of [...Object.keys(COPIED), 'tokenizer.json', 'tokenizer_config.json']) {
      expect(read(out, name), name).toBe(read(base, name));
    }
    LEFT.forEach((name) => expect(existsSync(join(out, name)), name).toBe(false));
    // Its folder of templates is no reason to take it for something that --force must not touch; anything else in there is.
    await fuse(base, lora, join(room, 'out'), '--force');
    writeFileSync(join(out, 'additional_chat_templates', 'notes.txt'), 'mine');
    const refused = await runCli(['fuse', '--base', base, '--adapter', lora, '--out', out, '--force']);
    expect(refused.code).not.toBe(0);
    expect(read(out, 'additional_chat_templates/notes.txt')).toBe('mine');
  });

  it('has the code that config.json names', async () => {
    const { base, lora, room } = model('qwen3');
    const config = { ...json(base, 'config.json'), auto_map: { AutoConfig: 'configuration_own.OwnConfig' } };
    writeFileSync(join(base, 'config.json'), JSON.stringify(config));
    writeFileSync(join(base, 'configuration_own.py'), '# own');
    expect(read(await fuse(base, lora, join(room, 'out')), 'configuration_own.py')).toBe('# own');
  });
});

describe('the chat template that an adapter was trained with', () => {
  const OWN = 'own {{ messages }}';

  it.each([
    ['a file', { 'chat_template.jinja': OWN }],
    ['its tokenizer_config.json', { 'tokenizer_config.json': JSON.stringify({ chat_template: OWN }) }],
    ['chat_template.json', { 'chat_template.json': JSON.stringify({ chat_template: OWN }) }],
  ])('in %s goes into the GGUF and the folder, whichever way the base stores its own', async (_where, files) => {
    for (const inConfig of [false, true]) {
      const { base, lora, room } = model('qwen3');
      rmSync(join(base, 'chat_template.jinja'));
      const tokenizerConfig = { ...json(base, 'tokenizer_config.json'), chat_template: 'of the base' };
      if (inConfig) {
        writeFileSync(join(base, 'tokenizer_config.json'), JSON.stringify(tokenizerConfig));
      } else {
        writeFileSync(join(base, 'chat_template.jinja'), 'of the base');
      }
      Object.entries(files).forEach(([name, content]) => writeFileSync(join(lora, name), content));
      const gguf = join(room, 'o.gguf');
      const built = await runCli(['build', '--base', base, '--adapter', lora, '--type', 'BF16', '--out', gguf]);
      expect(built.stdout).toContain("chat template: the adapter's own");
      expect(await templateOf(gguf)).toBe(OWN);
      // The folder says it to us and, since files win there, to transformers.
      const out = await fuse(base, lora, join(room, 'out'));
      await runCliOk(['convert', '--base', out, '--type', 'BF16', '--out', join(room, 'again.gguf')]);
      expect(await templateOf(join(room, 'again.gguf'))).toBe(OWN);
      expect(
        readdirSync(out)
          .flatMap((name) => (/template|config/.test(name) ? [read(out, name)] : []))
          .join(),
      ).not.toContain('of the base');
    }
  });

  it('is not spoken of where it is the one of the base', async () => {
    const { base, lora, room } = model('qwen3');
    cpSync(join(base, 'chat_template.jinja'), join(lora, 'chat_template.jinja'));
    const gguf = join(room, 'o.gguf');
    const built = await runCli(['build', '--base', base, '--adapter', lora, '--type', 'BF16', '--out', gguf]);
    expect(built.stdout).not.toContain("the adapter's own");
    expect(await templateOf(gguf)).toBe(read(base, 'chat_template.jinja'));
  });

  it('of the base is read without a tokenizer_config.json', async () => {
    const { base, room } = model('qwen3');
    rmSync(join(base, 'tokenizer_config.json'));
    const gguf = join(room, 'o.gguf');
    await runCliOk(['convert', '--base', base, '--type', 'BF16', '--out', gguf]);
    expect(await templateOf(gguf)).toBe(read(base, 'chat_template.jinja'));
  });
});
