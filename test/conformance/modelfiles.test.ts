import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerModelfile, oracleAnswer } from '../support/compareModelfile';
import { writeFilesForModelfiles } from '../support/modelfileFolder';

interface Recorded {
  /** Base64 of the Modelfile's bytes. */
  readonly source: string;
  /** The answer of Ollama's parser as the Go program printed it, the folder replaced by /FOLDER. */
  readonly answer: string;
}

const recorded = readFileSync(new URL('./modelfiles.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

describe('Modelfiles that Ollama judged', () => {
  let folder = '';
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfiles-')));
    writeFilesForModelfiles(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are enough to mean something', () => {
    const answers = recorded.map(({ answer }) => oracleAnswer(answer));
    expect(recorded.length).toBeGreaterThan(1000);
    expect(answers.filter(({ ok }) => !ok).length).toBeGreaterThan(200);
    expect(answers.filter(({ request }) => request !== undefined).length).toBeGreaterThan(300);
    expect(answers.filter(({ requestError }) => requestError !== undefined).length).toBeGreaterThan(100);
  });

  // Paths, and with them requests, are spelt differently on Windows.
  it.skipIf(process.platform === 'win32')('get the same verdict, line, commands and request from us', async () => {
    for (const { source, answer } of recorded) {
      const bytes = Buffer.from(source, 'base64');
      const ours = await answerModelfile(bytes, folder);
      const theirs = oracleAnswer(answer.replaceAll('/FOLDER', folder));
      expect(ours, bytes.toString()).toEqual(theirs);
    }
  });
});
