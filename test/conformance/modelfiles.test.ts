import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NEWEST_KNOWN } from '../../src/core/ollama/ollamaTable';
import { answerModelfile, oracleAnswer } from '../support/compareModelfile';
import { writeFilesForModelfiles } from '../support/modelfileFolder';
import { recordedModelfiles } from '../support/recordedModelfiles';

const { versions, cases } = recordedModelfiles();

it('the newest version that the table knows is recorded, and one that read no patterns', () => {
  expect(versions).toContain(NEWEST_KNOWN);
  expect(versions).toContain('0.32.15');
});

it('some Modelfiles are read differently by different versions', () => {
  const different = cases.filter(({ answers }) => new Set(answers.values()).size > 1);
  expect(different.length).toBeGreaterThan(50);
});

describe.each(versions)('Modelfiles that Ollama %s judged', (version) => {
  const recorded = cases.map(({ source, answers }) => ({ source, answer: answers.get(version)! }));
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
      const ours = await answerModelfile(source, folder, version);
      const theirs = oracleAnswer(answer.replaceAll('/FOLDER', folder));
      expect(ours, source.toString()).toEqual(theirs);
    }
  });
});
