import {
  getLlama,
  LlamaLogLevel,
  type Llama,
  type LlamaContextSequence,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp';
import type { TestContext } from 'vitest';

export interface LogLine {
  readonly level: string;
  readonly text: string;
}

/** A model that real llama.cpp has loaded, and what it said while it did. */
export interface LoadedModel {
  readonly log: readonly LogLine[];
  /** The ids of a text alone; `special` recognises the names of special tokens in it. */
  tokenise(text: string, special: boolean): number[];
  text(ids: readonly number[]): string;
  readonly prependsBos: boolean;
  /** Greedy completion (temperature 0) of a raw prompt, special tokens recognised, to the end-of-generation token or 80 tokens. */
  complete(prompt: string): Promise<Completion>;
  /** The logits after each of these tokens, in order of token id. */
  logits(ids: readonly number[]): Promise<Float64Array[]>;
  close(): Promise<void>;
}

export interface Completion {
  readonly text: string;
  /** Whether the model itself ended the answer. */
  readonly ended: boolean;
}

const MAX_TOKENS = 80;
const lines: LogLine[] = [];

async function start(): Promise<Llama | undefined> {
  try {
    return await getLlama({
      // One thread: the models are tiny, and threads that wait for each other stand still on a busy machine.
      build: 'never',
      gpu: false,
      maxThreads: 1,
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.debug,
      logger: (level, text) => lines.push({ level, text: text.trimEnd() }),
    });
  } catch (error) {
    console.warn(
      `\nNOT RUN: the tests that load our files in real llama.cpp. They need a prebuilt binary of the npm package node-llama-cpp, ` +
        `and for this platform (${process.platform}-${process.arch}) there is none: ${error instanceof Error ? error.message : String(error)}. These tests are counted as skipped.\n`,
    );
    return undefined;
  }
}

const started = await start();

/** Real llama.cpp, or the test ends here as skipped. */
export function llamaOrSkip(context: TestContext): Llama {
  if (started === undefined) {
    context.skip('needs a prebuilt node-llama-cpp');
  }
  return started;
}

/** Loads a GGUF, with a GGUF adapter beside it where one is given. One model at a time: the log is that of the process. */
export async function loadModel(
  llama: Llama,
  path: string,
  adapter?: string,
  flashAttention?: boolean,
): Promise<LoadedModel> {
  lines.length = 0;
  const model = await llama.loadModel({ modelPath: path, useMmap: false }).catch(async (cause: unknown) => {
    throw new Error(await reasonOf(cause), { cause });
  });
  const log = await finishedLog();
  const sequence = (
    await model.createContext({
      contextSize: 256,
      threads: 1,
      ...(flashAttention === undefined ? {} : { flashAttention }),
      ...(adapter === undefined ? {} : { lora: { adapters: [{ filePath: adapter, scale: 1 }] } }),
    })
  ).getSequence();
  return {
    log,
    tokenise: (text, special) => [...model.tokenize(text, special)],
    text: (ids) => model.detokenize(ids as Token[], true),
    prependsBos: model.tokens.shouldPrependBosToken,
    complete: (prompt) => complete(model, sequence, prompt),
    logits: (ids) => logits(sequence, ids as Token[]),
    close: () => model.dispose(),
  };
}

/** Its own message is "Failed to load model": what was wrong stands in llama.cpp's log, which comes later. */
async function reasonOf(cause: unknown): Promise<string> {
  const deadline = Date.now() + 3000;
  const told = (): LogLine[] => lines.filter(({ text }) => /error|failed|missing|wrong|expected/i.test(text));
  while (told().length === 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return [String(cause), ...told().map(({ text }) => text)].join('\n');
}

/** The log comes from another thread, a little later than the model. */
async function finishedLog(): Promise<LogLine[]> {
  const deadline = Date.now() + 10_000;
  while (!lines.some(({ text }) => text.includes('max token length'))) {
    if (Date.now() > deadline) {
      throw new Error(`llama.cpp's log does not end as expected: ${lines.map(({ text }) => text).join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return [...lines];
}

async function complete(model: LlamaModel, sequence: LlamaContextSequence, prompt: string): Promise<Completion> {
  await sequence.clearHistory();
  const tokens: Token[] = [];
  for await (const token of sequence.evaluate(model.tokenize(prompt, true), { temperature: 0, yieldEogToken: true })) {
    if (model.isEogToken(token)) {
      return { text: model.detokenize(tokens, false), ended: true };
    }
    tokens.push(token);
    if (tokens.length === MAX_TOKENS) {
      break;
    }
  }
  return { text: model.detokenize(tokens, false), ended: false };
}

async function logits(sequence: LlamaContextSequence, tokens: readonly Token[]): Promise<Float64Array[]> {
  await sequence.clearHistory();
  const results = await sequence.controlledEvaluate(tokens.map((token) => [token, { generateNext: { logits: true } }]));
  return results.map((result) => {
    const found = result?.next.logits ?? new Map<Token, number>();
    const values = new Float64Array(found.size).fill(Number.NaN);
    for (const [token, value] of found) {
      values[token] = value;
    }
    return values;
  });
}

/** The prompt of the rugby fixtures (their chat template), for one question. */
export function chatMl(question: string): string {
  return `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
}
