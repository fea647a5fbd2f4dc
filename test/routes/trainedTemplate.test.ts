import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { FIXTURES, runCliOk } from '../support/cli';
import { temporaryFolder } from '../support/models';

const BASE = join(FIXTURES, 'rugby', 'base');
const work = temporaryFolder();

/** The chat template of a model that this adapter is fused into. */
async function templateOf(base: string, adapter: string): Promise<string | undefined> {
  const plan = await prepareBuild({
    base,
    adapters: [{ path: adapter, weight: 1 }],
    fileType: 'BF16',
    output: join(work, 'out.gguf'),
    layout: 'quantised',
  });
  const value = plan.metadata.find(([key]) => key === 'tokenizer.chat_template')?.[1];
  return value?.type === 'string' ? value.value : undefined;
}

function adapterWith(name: string, file: string, text: string): string {
  const adapter = join(work, name);
  cpSync(join(FIXTURES, 'rugby', 'lora'), adapter, { recursive: true });
  writeFileSync(join(adapter, file), text);
  return adapter;
}

test("an adapter's own chat template takes the place of the base's, of a folder and of a GGUF, whichever way it is stored", async () => {
  const gguf = join(work, 'base.gguf');
  await runCliOk(['convert', '--base', BASE, '--type', 'BF16', '--out', gguf]);
  const own = readFileSync(join(BASE, 'chat_template.jinja'), 'utf8');
  const inConfig = adapterWith('in-config', 'tokenizer_config.json', '{"chat_template": "from the configuration"}');
  const inFile = adapterWith('in-file', 'chat_template.jinja', 'from the file');
  for (const base of [BASE, gguf]) {
    expect(await templateOf(base, join(FIXTURES, 'rugby', 'lora'))).toBe(own);
    expect(await templateOf(base, inConfig)).toBe('from the configuration');
    expect(await templateOf(base, inFile)).toBe('from the file');
  }
});
