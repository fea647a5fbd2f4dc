import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSmallFile } from '../../src/node/files/textFile';
import { rejection } from '../support/collect';
import { temporaryFolder } from '../support/models';

const LIMIT = 64 * 1024 * 1024;

it('a file that is too large for a Modelfile is not read', async () => {
  const path = join(temporaryFolder(), 'Modelfile');
  writeFileSync(path, 'FROM x\n');
  expect(Buffer.from(await readSmallFile(path)).toString()).toBe('FROM x\n');
  truncateSync(path, LIMIT + 1);
  expect(await rejection(readSmallFile(path))).toMatchObject({ code: 'modelfile/too-large', path });
});
