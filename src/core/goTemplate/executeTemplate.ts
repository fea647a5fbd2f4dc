import { fromByteString, toByteString, type ByteString } from '../golang/byteString';
import { quoteText } from '../golang/quote';
import { BudgetMeter, DEFAULT_BUDGET, type RenderBudget } from './execute/budget';
import { BudgetFailure, ExecutionFailure } from './execute/failures';
import { Walker, type WalkOptions } from './execute/walker';
import { GO_FUNCTIONS, isTemplateFunction } from './functionNames';
import { collate } from './ollama/collate';
import type { TemplateValues } from './ollama/conversation';
import { cutAtResponse, CutPanic } from './ollama/cutAtResponse';
import { messagesValue, rootValue, toolsValue, type CollatedMessage } from './ollama/templateData';
import type { ParsedTemplate } from './parseTemplate';
import { boolValue, stringValue, type Value } from './reflect/value';
import type { ActionNode, ListNode, Tree } from './syntax/nodes';
import { nodeText } from './syntax/nodeText';
import { lineAt } from './syntax/treeState';

/** Why there is no text: Go's own error; a panic of Ollama's server (HTTP 500 at every chat); or our budget. */
export type ExecutionFault = 'error' | 'panic' | 'budget';

export type TemplateExecution =
  | {
      readonly ok: true;
      readonly text: string;
      /** The bytes themselves, which need not be UTF-8; `text` has U+FFFD where they are not. */
      readonly bytes: ByteString;
      /** False if the address of something was printed, which Go makes another at every run: ours is made up. */
      readonly repeatable: boolean;
    }
  | {
      readonly ok: false;
      readonly repeatable: boolean;
      readonly fault: ExecutionFault;
      readonly error: string;
      /** Of an error: 1-based line of the template. */
      readonly line?: number;
      /** Of an error: the expression or action that Go names. */
      readonly start?: number;
      readonly end?: number;
    };

export interface ExecutionOptions {
  readonly budget?: Partial<RenderBudget>;
  /** What `currentDate` and `yesterdayDate` go by, in local time. */
  readonly now?: Date;
}

/** The node that Ollama appends: `{{ .Response }}`. */
const PLACE = { pos: 0, start: 0, end: 0 };
const RESPONSE_ACTION: ActionNode = {
  kind: 'action',
  ...PLACE,
  pipe: {
    kind: 'pipe',
    ...PLACE,
    isAssign: false,
    decl: [],
    cmds: [{ kind: 'command', ...PLACE, args: [{ kind: 'field', ...PLACE, idents: ['Response'] }] }],
  },
};

const GO_ONLY: ReadonlySet<string> = new Set(GO_FUNCTIONS);

/** One call of Ollama's `Execute`. */
class Execution {
  readonly meter: BudgetMeter;
  private readonly now: Date;
  private readonly root: ListNode;
  private readonly full: WalkOptions;

  constructor(
    private readonly template: ParsedTemplate,
    private readonly values: TemplateValues,
    options: ExecutionOptions,
  ) {
    this.meter = new BudgetMeter({ ...DEFAULT_BUDGET, ...options.budget });
    this.now = options.now ?? new Date();
    const { root } = template.main;
    this.root = template.appendsResponse ? { ...root, nodes: [...root.nodes, RESPONSE_ACTION] } : root;
    const trees = new Map<ByteString, Tree>(template.trees).set('', { name: '', root: this.root });
    this.full = { trees, now: this.now, missingKeyIsZero: true, isDefined: isTemplateFunction };
  }

  run(): ByteString {
    const { values, template } = this;
    const { system, messages } = collate(values.messages);
    if (values.prompt !== '' && values.suffix !== '') {
      return this.walk(this.root, this.full, {
        Prompt: text(values.prompt),
        Suffix: text(values.suffix),
        Response: text(''),
      });
    }
    if (template.vars.includes('messages')) {
      return this.walk(this.root, this.full, {
        System: text(system),
        Messages: messagesValue(messages),
        Tools: toolsValue(values.tools),
        Response: text(''),
      });
    }
    return this.legacy(messages);
  }

  private walk(root: ListNode, options: WalkOptions, data: Readonly<Record<string, Value>>): ByteString {
    const { think, thinkLevel, isThinkSet } = this.values;
    const walker = new Walker(this.meter, options);
    walker.run(
      root,
      rootValue({ ...data, Think: boolValue(think), ThinkLevel: text(thinkLevel), IsThinkSet: boolValue(isThinkSet) }),
    );
    return walker.output.toString();
  }

  /** Templates without .Messages are executed once per turn, the last one cut where the answer begins. */
  private legacy(messages: readonly CollatedMessage[]): ByteString {
    const pieces: ByteString[] = [];
    let turn = { System: '', Prompt: '', Response: '' };
    const execute = (root: ListNode, options: WalkOptions): void => {
      const { System, Prompt, Response } = turn;
      pieces.push(this.walk(root, options, { System: text(System), Prompt: text(Prompt), Response: text(Response) }));
      turn = { System: '', Prompt: '', Response: '' };
    };
    for (const { message, content } of messages) {
      switch (message.role) {
        case 'system':
          if (turn.Prompt !== '' || turn.Response !== '') {
            execute(this.root, this.full);
          }
          turn.System = content;
          break;
        case 'user':
          if (turn.Response !== '') {
            execute(this.root, this.full);
          }
          turn.Prompt = content;
          break;
        case 'assistant':
          turn.Response = content;
          break;
        default:
      }
    }
    // Ollama runs what is left as a new template: without its functions, its definitions and missingkey=zero.
    const root = cutAtResponse(this.root);
    const trees = new Map<ByteString, Tree>([['', { name: '', root }]]);
    execute(root, { trees, now: this.now, missingKeyIsZero: false, isDefined: (name) => GO_ONLY.has(name) });
    return pieces.join('');
  }
}

function text(value: string): Value {
  return stringValue(toByteString(value));
}

/** Go's text for an error of execution: line, byte in the line, template, expression. */
function describe(failure: ExecutionFailure, source: string): string {
  const { pos } = failure.place;
  const lineStart = source.lastIndexOf('\n', pos - 1) + 1;
  const column = toByteString(source.slice(pos === 0 ? 0 : lineStart, pos)).length;
  const where = `:${lineAt(source, pos)}:${column}`;
  return `template: ${where}: executing ${quoteText(failure.templateName)} at <${nodeText(failure.place)}>: ${failure.text}`;
}

/**
 * What Ollama 0.32.15's `template.Execute` gives: messages collated, legacy templates executed turn by turn and cut at
 * `.Response`. Errors are Go's own; never throws, and ends within its budget.
 */
export function executeTemplate(
  template: ParsedTemplate,
  values: TemplateValues,
  options: ExecutionOptions = {},
): TemplateExecution {
  const execution = new Execution(template, values, options);
  try {
    const bytes = execution.run();
    return { ok: true, text: fromByteString(bytes), bytes, repeatable: !execution.meter.addressShown };
  } catch (thrown) {
    return { ok: false, repeatable: !execution.meter.addressShown, ...fault(thrown, template.text) };
  }
}

type Fault = Omit<Extract<TemplateExecution, { ok: false }>, 'ok' | 'repeatable'>;

function fault(thrown: unknown, source: string): Fault {
  if (thrown instanceof ExecutionFailure) {
    const { pos, start, end } = thrown.place;
    return { fault: 'error', error: describe(thrown, source), line: lineAt(source, pos), start, end };
  }
  if (thrown instanceof CutPanic) {
    return { fault: 'panic', error: thrown.message };
  }
  const budget = (what: string): Fault => ({
    fault: 'budget',
    error: `template/budget: rendering takes ${what}. Make the template or the messages smaller.`,
  });
  if (thrown instanceof BudgetFailure) {
    return budget(thrown.message);
  }
  if (thrown instanceof RangeError) {
    // The call stack or a string reached the engine's own limit before ours.
    return budget(`too much (${thrown.message})`);
  }
  throw thrown;
}
