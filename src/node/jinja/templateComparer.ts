import { createHash } from 'node:crypto';
import type { ChatFormat, JinjaRenderer } from '../../core/chatTemplate/chatFormat';
import { CHECK_CONVERSATIONS } from '../../core/chatTemplate/checkConversations';
import { chooseTemplate, type TemplateCandidate } from '../../core/chatTemplate/chooseTemplate';
import { renderExpectations, type Expectations } from '../../core/chatTemplate/compareTemplate';
import { withContentForm } from '../../core/chatTemplate/contentForm';
import { templateValues } from '../../core/chatTemplate/conversationValues';
import { templateReport } from '../../core/chatTemplate/templateReport';
import { executeTemplate } from '../../core/goTemplate/executeTemplate';
import { parseTemplate } from '../../core/goTemplate/parseTemplate';
import { findBundled } from '../../core/ollama/bundledLibrary';
import { parseModelName } from '../../core/ollama/modelName';
import type { ComparedTemplate } from '../../core/modelfile/workspaceFacts';
import { abortable, FactCache } from '../files/factCache';
import { bundledLibrary } from '../registry/bundledLibrary';
import { createJinjaRenderer } from './jinjaRenderer';

/** The template that a model was trained with. */
export type OwnTemplate =
  | { readonly kind: 'jinja'; readonly format: ChatFormat & { readonly jinja: string } }
  /** Of a library model: the Go template that it has there. */
  | { readonly kind: 'go'; readonly template: string; readonly own: string };

export interface TemplateComparerOptions {
  /** Folder of the running bundle, where `jinja.js` and `library.json` lie. */
  readonly bundleFolder: string;
  /**
   * Told when an answer is there that was not when it was asked for. With it nobody waits: what is not known yet is undefined, and is
   * worked out once no newer question came for a while.
   */
  readonly onReady?: (() => void) | undefined;
}

interface Expected {
  readonly expectations: Expectations;
  readonly bos?: string | undefined;
  readonly own: string;
  /** The template as `create` would write it, with its stops; undefined where there is none. */
  readonly replacement: () => Promise<ComparedTemplate['replacement']>;
}

interface Answer {
  readonly promise: Promise<ComparedTemplate | undefined>;
  value?: ComparedTemplate | undefined;
  isThere: boolean;
}

/** Typing goes on: a question that is followed by another within this time is not worked on. */
const QUIET = 250;
const MAX_ANSWERS = 60;
const BUDGET = { steps: 200_000, depth: 300, bytes: 1024 * 1024 };

/** Compares TEMPLATEs with the templates of models. Jinja runs in a process of its own with a deadline; every answer is kept by its digest. */
export class TemplateComparer {
  private readonly expected = new FactCache<Expected | undefined>(20);
  private readonly answers = new Map<string, Answer>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly render: JinjaRenderer;

  constructor(private readonly options: TemplateComparerOptions) {
    this.render = createJinjaRenderer(options.bundleFolder);
  }

  /**
   * @param model what the model is known by: a path, or a name
   * @param state changes when the model does
   * @param read finds its template; asked only where the answer is not known
   * @param waits who asks wants the answer now, and not at the next time
   */
  async compare(
    model: string,
    state: string,
    read: () => Promise<OwnTemplate | undefined>,
    template: string,
    signal?: AbortSignal,
    waits = this.options.onReady === undefined,
  ): Promise<ComparedTemplate | undefined> {
    const key = createHash('sha256')
      .update(JSON.stringify([model, state, template]))
      .digest('hex');
    const known = this.answers.get(key);
    if (waits) {
      return abortable((known ?? this.start(key, model, state, read, template)).promise, signal);
    }
    if (known !== undefined) {
      return known.value;
    }
    clearTimeout(this.timers.get(model));
    const timer = setTimeout(() => {
      this.timers.delete(model);
      this.start(key, model, state, read, template);
    }, QUIET);
    timer.unref();
    this.timers.set(model, timer);
    return undefined;
  }

  private start(
    key: string,
    model: string,
    state: string,
    read: () => Promise<OwnTemplate | undefined>,
    template: string,
  ): Answer {
    const promise = this.work(model, state, read, template).catch(() => undefined);
    const answer: Answer = { promise, isThere: false };
    const oldest = this.answers.keys().next();
    if (this.answers.size >= MAX_ANSWERS && oldest.done !== true) {
      this.answers.delete(oldest.value);
    }
    this.answers.set(key, answer);
    void promise.then((value) => {
      answer.value = value;
      answer.isThere = true;
      if (value !== undefined && value.differences.length > 0) {
        this.options.onReady?.();
      }
    });
    return answer;
  }

  private async work(
    model: string,
    state: string,
    read: () => Promise<OwnTemplate | undefined>,
    template: string,
  ): Promise<ComparedTemplate | undefined> {
    const expected = await this.expected.get(model, state, () => this.expect(read), undefined);
    if (expected === undefined) {
      return undefined;
    }
    const report = templateReport(template, expected.expectations, { bos: expected.bos, own: expected.own });
    return report === undefined || report.differences.length === 0
      ? report
      : { ...report, replacement: await expected.replacement() };
  }

  private async expect(read: () => Promise<OwnTemplate | undefined>): Promise<Expected | undefined> {
    const own = await read();
    if (own === undefined) {
      return undefined;
    }
    if (own.kind === 'go') {
      const expectations = goExpectations(own.template);
      const replacement = { template: own.template, stops: [] };
      return { expectations, own: own.own, replacement: () => Promise.resolve(replacement) };
    }
    const { render } = this;
    const now = Date.now();
    const format = await withContentForm(own.format, render);
    const expectations = await renderExpectations(format, render, { now, tools: false, thinking: true });
    let made: Promise<ComparedTemplate['replacement']> | undefined;
    return {
      expectations,
      bos: own.format.specials['bos_token'],
      own: 'the template of the model file',
      replacement: () => (made ??= this.replacementFor(own.format, now)),
    };
  }

  private async replacementFor(format: ChatFormat, now: number): Promise<ComparedTemplate['replacement']> {
    const choice = await chooseTemplate(format, this.render, { candidates: () => this.candidates(), now });
    return choice.template === undefined || !choice.exactButTrim
      ? undefined
      : { template: choice.template, stops: choice.stops.map(({ text }) => text) };
  }

  /** The Go template of a library model, of the very tag that is named; undefined for what is not known here. */
  async libraryTemplate(name: string): Promise<string | undefined> {
    const library = await bundledLibrary(this.options.bundleFolder);
    const parsed = parseModelName(name);
    return library === undefined || parsed === undefined ? undefined : findBundled(library, parsed)?.model.template;
  }

  private async candidates(): Promise<readonly TemplateCandidate[]> {
    const models = (await bundledLibrary(this.options.bundleFolder))?.models ?? [];
    return models.flatMap(({ name, template }) => (template === undefined ? [] : [{ model: name, template }]));
  }
}

/** What a library model's Go template makes of the conversations. */
function goExpectations(template: string): Expectations {
  const now = Date.now();
  const parsed = parseTemplate(template);
  const cases = CHECK_CONVERSATIONS.filter(({ tools }) => tools === undefined).map((conversation) => {
    const run = parsed.ok
      ? executeTemplate(parsed.template, templateValues(conversation), { now: new Date(now), budget: BUDGET })
      : { ok: false as const, error: parsed.error };
    const answer = run.ok ? { ok: true as const, text: run.text } : { ok: false as const, error: run.error };
    return { conversation, answer };
  });
  return { now, cases };
}
