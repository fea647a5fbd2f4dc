import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { FIXTURES } from '../support/cli';
import { temporaryFolder } from '../support/models';

const BASE = join(FIXTURES, 'rugby', 'base');
const work = temporaryFolder();

async function templateOf(folder: string | undefined): Promise<string | undefined> {
  const plan = await prepareBuild({
    base: BASE,
    adapters: [],
    fileType: 'BF16',
    output: join(work, 'out.gguf'),
    layout: 'quantised',
    trainedWith: folder === undefined ? [] : [folder],
  });
  const value = plan.metadata.find(([key]) => key === 'tokenizer.chat_template')?.[1];
  return value?.type === 'string' ? value.value : undefined;
}

test("the chat template of a folder takes the place of the base's, whichever way either is stored", async () => {
  const own = readFileSync(join(BASE, 'chat_template.jinja'), 'utf8');
  expect(await templateOf(undefined)).toBe(own);
  const inConfig = join(work, 'in-config');
  mkdirSync(inConfig);
  writeFileSync(join(inConfig, 'tokenizer_config.json'), JSON.stringify({ chat_template: 'from the configuration' }));
  expect(await templateOf(inConfig)).toBe('from the configuration');
  const inFile = join(work, 'in-file');
  mkdirSync(inFile);
  writeFileSync(join(inFile, 'chat_template.jinja'), 'from the file');
  expect(await templateOf(inFile)).toBe('from the file');
});
