// Asks GGUFs the same questions in real llama.cpp, greedily: node demoAnswers.mjs FILE… Prints one JSON value.
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const QUESTIONS = ['How big is a rugby league field?', 'How deep is the in-goal area of a rugby league field?', 'What size is a football field?', 'Where is Sydney?'];
const MOST_TOKENS = 80;

async function answer(model, sequence, question) {
  const prompt = `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
  await sequence.clearHistory();
  const answered = [];
  for await (const token of sequence.evaluate(model.tokenize(prompt, true), { temperature: 0 })) {
    if (model.isEogToken(token) || answered.length >= MOST_TOKENS) {
      break;
    }
    answered.push(token);
  }
  return model.detokenize(answered).trim();
}

// One thread: for models this small, threads that wait for each other cost more than they give.
let llama;
try {
  llama = await getLlama({ build: 'never', gpu: false, maxThreads: 1, skipDownload: true, progressLogs: false, logLevel: LlamaLogLevel.error });
} catch (error) {
  process.stdout.write(JSON.stringify({ missing: error instanceof Error ? error.message.split('\n')[0] : String(error) }));
  process.exit(0);
}
const all = [];
for (const path of process.argv.slice(2)) {
  const model = await llama.loadModel({ modelPath: path });
  const sequence = (await model.createContext({ contextSize: 256, threads: 1 })).getSequence();
  const answers = [];
  for (const question of QUESTIONS) {
    answers.push({ question, answer: await answer(model, sequence, question) });
  }
  all.push(answers);
  await model.dispose();
}
process.stdout.write(JSON.stringify(all), () => process.exit(0));
