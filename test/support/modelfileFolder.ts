import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fills a folder with what the paths of generated Modelfiles name: small files that look like weights, and traps. */
export function writeFilesForModelfiles(folder: string): void {
  const binary = Uint8Array.from({ length: 600 }, (_, i) => (i * 7) % 256);
  const put = (path: string, content: string | Uint8Array): void => writeFileSync(join(folder, path), content);
  // Names that patterns match, or do not match themselves.
  for (const name of ['in[x]side', 'inxside', 'odd*']) {
    mkdirSync(join(folder, name));
  }
  for (const name of ['hf', 'hf/nested', 'bad', 'empty', 'linked', 'pickles', 'mixed', 'hidden']) {
    mkdirSync(join(folder, name));
  }
  put('model.gguf', binary);
  put('adapter.gguf', 'GGUF adapter');
  for (const name of [
    'part-00001-of-00002.gguf',
    'part-00002-of-00002.gguf',
    'm[1].gguf',
    'm1.gguf',
    'Stück-ü1.gguf',
  ]) {
    put(name, binary);
  }
  put('in[x]side/a.gguf', binary);
  put('inxside/a.gguf', 'GGUF of the other folder');
  put('inxside/config.json', '{}');
  put('odd*/model.safetensors', binary);
  symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling-1.gguf'));
  put('hf/model-00001-of-00002.safetensors', binary);
  put('hf/model.safetensors', '{}');
  put('hf/config.json', '{"architectures": ["X"]}');
  put('hf/.hidden.json', '{}');
  put('hf/nested/model.safetensors', 'nested');
  put('hf/nested/config.json', '[]');
  put('hf/tokenizer.model', binary);
  put('hf/chat_template.jinja', '{{ messages }}');
  put('bad/model.safetensors', binary);
  put('bad/config.json', binary);
  symlinkSync(join(folder, 'model.gguf'), join(folder, 'linked', 'model.safetensors'));
  put('pickles/pytorch_model.bin', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0));
  put('pickles/tokenizer.model', 'version https://git-lfs.github.com/spec/v1');
  put('mixed/pytorch_model.bin', 'text');
  put('mixed/x.bin', binary);
  put('hidden/.gguf', binary);
  put('hidden/config.json', '<html ><body>');
}
