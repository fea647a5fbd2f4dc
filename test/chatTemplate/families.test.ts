import { beforeAll, describe, expect, it } from 'vitest';
import {
  compareTemplate,
  renderExpectations,
  type TemplateComparison,
} from '../../src/core/chatTemplate/compareTemplate';
import { chooseTemplate } from '../../src/core/chatTemplate/chooseTemplate';
import { withContentForm } from '../../src/core/chatTemplate/contentForm';
import { comparableText, jinjaRequest } from '../../src/core/chatTemplate/conversationValues';
import { generateTemplate } from '../../src/core/chatTemplate/generate/generateTemplate';
import { probeTemplate } from '../../src/core/chatTemplate/templateProbe';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';
import { familyTemplates, formatFor, renderHere, type FamilyTemplate } from '../support/familyTemplates';
import { Random } from '../support/random';
import { randomConversation } from '../support/randomConversation';

const NOW = new Date(2026, 6, 4, 12).getTime();
const thinks = (jinja: string): boolean => /\benable_thinking\b|\bthinking\b|\breasoning_content\b/.test(jinja);

/** Every family that the product promises, by a model of it; true: white space at the ends of messages is all that differs. */
const PROMISED: Readonly<Record<string, boolean>> = {
  'yi:6b': false,
  'qwen:0.5b': false,
  'smollm2:135m': false,
  'llama2:7b': true,
  'llama3:8b': true,
  'llama3.1:8b': true,
  'llama3.2:3b': true,
  'mistral:7b-instruct-fp16': false,
  'mixtral:8x7b': false,
  'mixtral:8x22b': false,
  'mistral-large:123b': false,
  'mistral-small:24b': false,
  'devstral:latest': false,
  'gemma2:2b': true,
  'gemma3:270m': true,
  'gemma3:1b': true,
  'phi3:3.8b': false,
  'phi3:14b': false,
  'phi3.5:3.8b': false,
  'phi4:14b': false,
  'phi4-mini:3.8b': false,
  'phi4-reasoning:14b': false,
  'qwen2:0.5b': false,
  'qwen2.5:0.5b': false,
  'qwen2.5-coder:1.5b': false,
  'qwen3:0.6b': false,
  'qwen3-next:80b': false,
  'granite3-dense:2b': false,
  'granite3.1-moe:1b': false,
  'granite3.2:8b': false,
  'granite3.3:2b': false,
  'granite4:350m': false,
  'granite4:latest': false,
  'deepseek-r1:8b': false,
  'deepseek-r1:latest': false,
  'deepseek-v3:671b': false,
  'deepseek-v3.1:latest': false,
};

/** Models whose templates are more than a Go template can be told; each is said to be so, with the conversations. */
const BEYOND: readonly string[] = [
  'firefunction-v2:70b',
  'glm4:9b',
  'granite3-guardian:2b',
  'llama-guard3:1b',
  'shieldgemma:27b',
  // System messages that are not the first are joined in ways of their own.
  'deepseek-v2.5:236b',
  'nemotron-mini:4b',
  'phi4-mini-reasoning:3.8b',
];

interface Judged {
  readonly template: string;
  readonly comparison: TemplateComparison;
  readonly tools: boolean;
  readonly gaps: readonly string[];
}

async function judge({ jinja }: FamilyTemplate): Promise<Judged | undefined> {
  const format = await withContentForm(formatFor(jinja), renderHere);
  const { template, knowsTools, gaps } = await generateTemplate(format, renderHere);
  const expectations = await renderExpectations(format, renderHere, {
    now: NOW,
    tools: knowsTools,
    thinking: thinks(jinja),
  });
  return template === undefined
    ? undefined
    : { template: template.text, comparison: compareTemplate(template.text, expectations), tools: knowsTools, gaps };
}

describe("templates from models' own Jinja", () => {
  let families: readonly FamilyTemplate[] = [];
  const judged = new Map<string, Judged | undefined>();

  beforeAll(async () => {
    families = await familyTemplates();
    for (const family of families) {
      judged.set(family.name, await judge(family));
    }
  }, 120_000);

  it('has the templates of nearly a hundred models to compare with', () => {
    expect(families.length).toBeGreaterThan(90);
  });

  it.each(Object.entries(PROMISED))('%s renders every conversation as the model itself', (name, trims) => {
    const { comparison } = judged.get(name)!;
    expect(comparison.differences.filter(({ kind }) => kind !== 'trim')).toEqual([]);
    // One that the Jinja refuses to take system messages with has seven left.
    expect(comparison.compared.length).toBeGreaterThanOrEqual(comparison.refused.length > 0 ? 7 : 12);
    expect(comparison.differences.length > 0).toBe(trims && comparison.compared.includes('white space at the ends'));
  });

  it('does so for all others that are not known to be beyond it', () => {
    const wrong = [...judged]
      .filter(([, one]) => one === undefined || one.comparison.differences.some(({ kind }) => kind !== 'trim'))
      .map(([name]) => name);
    expect(wrong.sort()).toEqual([...BEYOND].sort());
  });

  it('compares tools, calls and results where the model knows them', () => {
    for (const name of ['qwen2.5:0.5b', 'qwen3:0.6b', 'llama3.1:8b', 'llama3.2:3b', 'granite4:latest']) {
      const { compared } = judged.get(name)!.comparison;
      expect(compared, name).toEqual(
        expect.arrayContaining(['tools', 'system and tools', 'tool call and result', 'tool call, result and answer']),
      );
    }
    expect(judged.get('qwen3:0.6b')!.comparison.compared).toEqual(
      expect.arrayContaining(['thinking on', 'thinking off', 'thinking in the history', 'thinking before a tool call']),
    );
  });

  it('holds for conversations that nobody thought of', async () => {
    let compared = 0;
    for (const { name, jinja } of families.filter((family) => family.name in PROMISED)) {
      const one = judged.get(name)!;
      const format = await withContentForm(formatFor(jinja), renderHere);
      const random = new Random(20_260);
      for (let run = 0; run < 40; run += 1) {
        const made = randomConversation(random, {
          tools: one.tools,
          thinking: jinja.includes('reasoning_content'),
          system: true,
        });
        const [answer] = await renderHere(format.jinja, [jinjaRequest(format, made, NOW)]);
        if (answer?.ok !== true) {
          continue;
        }
        const expected = { ok: true as const, text: comparableText(answer.text, format, made) };
        const { differences } = compareTemplate(one.template, {
          now: NOW,
          cases: [{ conversation: made, answer: expected }],
        });
        expect(differences, `${name}: ${JSON.stringify(made)}`).toEqual([]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(900);
  }, 60_000);

  it('sees a difference of one character', async () => {
    for (const name of ['qwen3:0.6b', 'llama3.1:8b', 'phi4:14b']) {
      const { jinja } = families.find((family) => family.name === name)!;
      const format = formatFor(jinja);
      const expectations = await renderExpectations(format, renderHere, {
        now: NOW,
        tools: true,
        thinking: thinks(jinja),
      });
      const { template } = judged.get(name)!;
      const broken = template.replace('{{ .Content }}', '{{ .Content }} ');
      expect(broken).not.toBe(template);
      expect(
        compareTemplate(broken, expectations).differences.filter(({ kind }) => kind === 'text').length,
        name,
      ).toBeGreaterThan(5);
    }
  });

  it('writes templates that Ollama parses, with a question that stops and an answer that ends', () => {
    for (const [name, one] of judged) {
      if (one === undefined || BEYOND.includes(name)) {
        continue;
      }
      const parsed = parseTemplate(one.template);
      expect(parsed.ok, name).toBe(true);
      const probe = probeTemplate((parsed as Extract<typeof parsed, { ok: true }>).template);
      expect(probe.question.ok, name).toBe(true);
      expect(probe.printsSystem, name).toBe(!one.gaps.some((gap) => gap.includes('leaves system messages out')));
    }
  });

  it('says which conversations differ and where, where the Jinja is beyond a Go template', async () => {
    const { jinja } = families.find(({ name }) => name === 'granite3-guardian:2b')!;
    const choice = await chooseTemplate(formatFor(jinja), renderHere, { now: NOW });
    expect(choice.exact).toBe(false);
    expect(choice.notes[0]).toMatch(
      /^The TEMPLATE is not the model's own: \d+ of 13 conversations come out otherwise \(several turns, /,
    );
    expect(choice.comparison?.differences[0]).toMatchObject({
      conversation: 'several turns',
      kind: 'text',
      at: expect.any(Number) as number,
    });
  });

  it('says nothing of doubts that the comparison settled', async () => {
    const notes = async (name: string): Promise<readonly string[]> =>
      (
        await chooseTemplate(formatFor(families.find((family) => family.name === name)!.jinja), renderHere, {
          now: NOW,
        })
      ).notes;
    expect((await notes('granite3-dense:2b')).filter((note) => note.includes('left out'))).toEqual([]);
    expect(await notes('granite3.3:2b')).toContain(
      "The model's own template writes results of tools but not the calls; so does the TEMPLATE.",
    );
  });

  it('takes a template of the library where that is nearer', async () => {
    const { jinja } = families.find(({ name }) => name === 'glm4:9b')!;
    const exact =
      '[gMASK]<sop>{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}{{ if .Content }}<|{{ .Role }}|>\n{{ .Content }}{{ end }}{{ if and $last (ne .Role "assistant") }}<|assistant|>{{ end }}{{ end }}';
    const choice = await chooseTemplate(formatFor(jinja), renderHere, {
      now: NOW,
      candidates: () =>
        Promise.resolve([
          { model: 'wrong:1b', template: '{{ .Prompt }}' },
          { model: 'glm4:9b', template: exact },
        ]),
    });
    expect(choice).toMatchObject({ origin: 'library', model: 'glm4:9b', template: exact, exact: true });
  });

  it('does not double the beginning-of-sequence token that llama.cpp adds, and writes it where it does not', async () => {
    const { jinja } = families.find(({ name }) => name === 'mixtral:8x22b')!;
    const added = await chooseTemplate(formatFor(jinja), renderHere, { now: NOW });
    expect(added.exact).toBe(true);
    expect(added.template).not.toContain('<s>');
    expect(added.notes.filter((note) => note.startsWith('Ollama puts'))).toEqual([]);
    const late = await chooseTemplate(formatFor(`x${jinja}`), renderHere, { now: NOW });
    expect(late.notes).toContain(
      "Ollama puts <s> before every prompt, and the model's own template writes it once more after other text: the model sees it twice.",
    );
    const never = await chooseTemplate(formatFor(jinja.replace('{{- bos_token }}', '')), renderHere, { now: NOW });
    expect(never.notes).toContain(
      "Ollama puts <s> before every prompt, because the tokenizer says so; the model's own template does not.",
    );
    const bare = await chooseTemplate({ ...formatFor(jinja), addsBos: false }, renderHere, { now: NOW });
    expect(bare.exact).toBe(true);
    expect(bare.template?.startsWith('<s>') === true || bare.template?.includes('<s>[INST]') === true).toBe(true);
  });
});
