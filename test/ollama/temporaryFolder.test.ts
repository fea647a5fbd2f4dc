import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../src/node/files/temporaryFolder';
import { rejection } from '../support/collect';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
});
afterEach(() => rmSync(place, { recursive: true }));

describe('a temporary folder', () => {
  it('removes what killed processes left, and nothing else', async () => {
    const dead = spawnSync(process.execPath, ['-e', '0']).pid;
    const theirs = [
      `.modelfile-studio-create-${process.pid}-0123456789ab`,
      '.modelfile-studio-create-mine',
      `.modelfile-studio-create-${dead}-notahex`,
      `.modelfile-studio-create-${dead}-0123456789ab.bak`,
      'model',
    ];
    for (const name of [...theirs, `.modelfile-studio-create-${dead}-0123456789ab`]) {
      mkdirSync(join(place, name));
      writeFileSync(join(place, name, 'file'), 'x');
    }
    const folder = await temporaryFolder(place);
    expect(existsSync(folder)).toBe(true);
    expect(
      readdirSync(place)
        .map((name) => join(place, name))
        .filter((path) => path !== folder)
        .sort(),
    ).toEqual(theirs.map((name) => join(place, name)).sort());
  });

  it('says why there is none', async () => {
    expect(await rejection(temporaryFolder(join(place, 'none')))).toMatchObject({ code: 'output/unwritable' });
  });
});
