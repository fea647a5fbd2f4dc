import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerTemplate, comparable, type TemplateAnswer } from '../support/compareTemplate';
import { ConversationGenerator } from '../support/conversationGenerator';
import { oracleForTests, type GoOracle } from '../support/goOracle';
import { Random } from '../support/random';
import { CONVERSATIONS } from '../goTemplate/conversations';

const ORACLE_FOLDER = fileURLToPath(new URL('../conformance/oracle', import.meta.url));

/** The templates that come with Ollama's source, from Go's module cache: they are not ours to copy. */
function libraryTemplates(): { name: string; text: string }[] {
  const folder = execFileSync('go', ['list', '-m', '-f', '{{.Dir}}', 'github.com/ollama/ollama'], {
    cwd: ORACLE_FOLDER,
    encoding: 'utf8',
  }).trim();
  const templates = readdirSync(join(folder, 'template')).filter((name) => name.endsWith('.gotmpl'));
  return templates.map((name) => ({ name, text: readFileSync(join(folder, 'template', name), 'utf8') }));
}

describe("the templates of Ollama's library", () => {
  let oracle: GoOracle | undefined;

  beforeAll(async () => {
    oracle = await oracleForTests();
  });
  afterAll(() => {
    oracle?.stop();
  });

  it('render as Ollama renders them, with every conversation', async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    const templates = libraryTemplates();
    expect(templates.length).toBeGreaterThan(15);
    const random = new Random(20_260);
    const values = [
      ...Object.values(CONVERSATIONS),
      ...Array.from({ length: 60 }, () => new ConversationGenerator(random).values()),
    ];
    let rendered = 0;
    for (const { name, text } of templates) {
      const theirs = (await oracle.ask({ op: 'template', text, values })) as unknown as TemplateAnswer;
      const ours = answerTemplate(text, values);
      if (!ours.ok || !theirs.ok) {
        throw new Error(`${name} is refused`);
      }
      ours.rendered.forEach((mine, index) => {
        const other = theirs.rendered[index];
        const pair = other === undefined ? undefined : comparable(mine, other);
        expect(pair?.[0], `${name} with ${JSON.stringify(values[index])}`).toEqual(pair?.[1]);
        rendered += mine.ok ? 1 : 0;
      });
    }
    console.log(`${templates.length} templates of the library, ${rendered} prompts, no difference`);
    expect(rendered).toBeGreaterThan(1000);
  });
});
