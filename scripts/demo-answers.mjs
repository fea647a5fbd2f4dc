// Asks models in real llama.cpp (node-llama-cpp), and lays answers out side by side.
import { DemoError } from './demo-set-up.mjs';

const MAX_TOKENS = 80;

/** llama.cpp from the prebuilt binary of node-llama-cpp; nothing is downloaded or compiled. */
export async function startLlama() {
  try {
    const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
    return await getLlama({
      build: 'never',
      gpu: false,
      maxThreads: 2,
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.error,
    });
  } catch (error) {
    throw new DemoError(
      `The result was built, but real llama.cpp cannot be started to ask it (${String(error?.message ?? error)}): there is no prebuilt binary of node-llama-cpp for ${process.platform}-${process.arch} in node_modules. If npm left optional packages out, run npm ci --include=optional; --keep keeps the files all the same.`,
    );
  }
}

/** The greedy answer (temperature 0) to each question, in the ChatML prompt that the model was trained with. */
export async function ask(llama, path, questions) {
  const model = await llama.loadModel({ modelPath: path, useMmap: false });
  try {
    const sequence = (await model.createContext({ contextSize: 256, threads: 1 })).getSequence();
    const answers = [];
    for (const question of questions) {
      await sequence.clearHistory();
      const prompt = `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
      const tokens = [];
      for await (const token of sequence.evaluate(model.tokenize(prompt, true), { temperature: 0 })) {
        tokens.push(token);
        if (tokens.length === MAX_TOKENS) {
          break;
        }
      }
      answers.push(model.detokenize(tokens).trim());
    }
    return answers;
  } finally {
    await model.dispose();
  }
}

/** Rows of cells as text columns that share `width`; each cell wraps at spaces. `paint` colours a line of a cell. */
export function layOut(rows, shares, width, paint = (line) => line) {
  const gap = 3;
  const room = width - gap * (shares.length - 1);
  const widths = shares.map((share) => Math.floor(room * share));
  return rows.flatMap((cells, row) => {
    const wrapped = cells.map((cell, column) => wrap(cell, widths[column]));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    const lines = Array.from({ length: height }, (_, line) =>
      wrapped
        .map((cell, column) => paint((cell[line] ?? '').padEnd(widths[column]), row, column))
        .join(' '.repeat(gap))
        .trimEnd(),
    );
    return [...lines, ''];
  });
}

function wrap(text, width) {
  const lines = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
