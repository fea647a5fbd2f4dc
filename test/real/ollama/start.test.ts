import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { resolveOllamaAddress } from '../../../src/core/ollama/ollamaAddress';
import { OllamaClient } from '../../../src/node/ollama/ollamaClient';
import { startOllama } from '../../../src/node/ollama/startOllama';
import { freePort } from '../../support/freePort';
import { temporaryFolder } from '../../support/models';
import { findRealOllama, NO_OLLAMA } from '../../support/realOllama';

const folder = temporaryFolder();
const found = await findRealOllama();
let home: string | undefined;

/** Servers that outlived the call, found by their home. */
function servers(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/exe`).endsWith('/ollama') && readlinkSync(`/proc/${pid}/cwd`) !== '' && isOurs(pid)
        );
      } catch {
        return false;
      }
    });
}

function isOurs(pid: number): boolean {
  return home !== undefined && environmentOf(pid).includes(`OLLAMA_MODELS=${home}`);
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

afterEach(async () => {
  for (const pid of servers()) {
    process.kill(pid, 'SIGKILL');
  }
  await sleep(50);
});

describe.runIf(process.platform === 'linux')('Start Ollama', () => {
  it('starts the server, waits for it, passes on only what it needs, and leaves one that runs alone', async (context) => {
    if (found === undefined) {
      context.skip(NO_OLLAMA);
      return;
    }
    home = mkdtempSync(join(folder, 'home-'));
    const client = new OllamaClient(resolveOllamaAddress({ setting: `127.0.0.1:${await freePort()}` }));
    const env = {
      PATH: dirname(found.path),
      HOME: home,
      OLLAMA_MODELS: home,
      HF_TOKEN: 'hf_secret',
      GITHUB_TOKEN: 'secret',
    };
    expect(await startOllama(client, { env })).toBe(true);
    expect(await client.list()).toEqual([]);
    const [pid] = servers();
    expect(environmentOf(pid!)).not.toMatch(/secret/);
    expect(await startOllama(client, { env })).toBe(false);
    expect(servers()).toHaveLength(1);
  });

  it('says where none is installed, and that another machine is not started', async () => {
    const client = new OllamaClient(resolveOllamaAddress({ setting: `127.0.0.1:${await freePort()}` }));
    const remote = new OllamaClient(resolveOllamaAddress({ setting: 'http://192.0.2.1:1' }), { quick: 300 });
    await expect(startOllama(remote)).rejects.toMatchObject({ code: 'ollama/not-running' });
    if (found === undefined) {
      await expect(startOllama(client, { env: { PATH: folder } })).rejects.toMatchObject({
        code: 'ollama/not-installed',
      });
    }
  });
});
