// Records what versions of Ollama make of the templates of test/goTemplate/corpus.ts: `node scripts/record/record-templates.mjs [VERSION…]`.
// Every question is put to two processes of the Go oracle; what they answer differently (addresses) is left out. What another
// version answers otherwise stands under `others` of its case.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildOracle, cacheDirectory } from '../go/buildOracle.mjs';
import { TESTED_VERSIONS } from '../ollamaVersions.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function loadCorpus() {
  const outfile = join(cacheDirectory(), `templateCorpus-${process.pid}.mjs`);
  mkdirSync(cacheDirectory(), { recursive: true });
  await build({
    entryPoints: [join(root, 'test/goTemplate/corpus.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'error',
  });
  try {
    return (await import(pathToFileURL(outfile).href)).corpus();
  } finally {
    rmSync(outfile);
  }
}

/** All answers of one fresh process with the code of a version, in order. */
async function ask(version, questions) {
  const child = spawn(buildOracle(version), { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = [];
  const lines = createInterface({ input: child.stdout });
  const done = (async () => {
    for await (const line of lines) {
      answers.push(JSON.parse(line));
    }
  })();
  for (const question of questions) {
    if (!child.stdin.write(`${JSON.stringify(question)}\n`)) {
      await new Promise((resolve) => child.stdin.once('drain', resolve));
    }
  }
  child.stdin.end();
  await done;
  return answers;
}

const corpus = await loadCorpus();
const questions = [{ op: 'version' }, ...corpus.map(({ text, values }) => ({ op: 'template', text, values }))];
const asked = process.argv.slice(2);
const [main, ...more] = asked.length > 0 ? asked : TESTED_VERSIONS;
const [version, ...first] = await ask(main, questions);
const [, ...second] = await ask(main, questions);
const others = [];
for (const other of more) {
  const [, ...answers] = await ask(other, questions);
  others.push({ version: other, answers });
}
let different = 0;

// Conversations that several templates share are written once.
const conversations = [];
const known = new Map();
const indexOf = (values) => {
  const json = JSON.stringify(values);
  if (!known.has(json)) {
    known.set(json, conversations.length);
    conversations.push(values);
  }
  return known.get(json);
};

const cases = [];
corpus.forEach(({ group, text, values }, index) => {
  const answer = first[index];
  if (JSON.stringify(answer) !== JSON.stringify(second[index]) || answer.timeout) {
    return;
  }
  const otherwise = others.flatMap(({ version: other, answers }) =>
    JSON.stringify(answers[index]) === JSON.stringify(answer) ? [] : [[other, answers[index]]],
  );
  different += otherwise.length > 0 ? 1 : 0;
  cases.push({
    group,
    text,
    values: values.map(indexOf),
    answer,
    ...(otherwise.length > 0 ? { others: Object.fromEntries(otherwise) } : {}),
  });
});

const today = new Date();
const record = {
  ollama: [version.ollama, ...more],
  go: version.go,
  recordedOn: [today.getFullYear(), today.getMonth() + 1, today.getDate()],
  conversations,
  cases,
};
const lines = [
  '{',
  `"ollama": ${JSON.stringify(record.ollama)}, "go": ${JSON.stringify(record.go)}, "recordedOn": ${JSON.stringify(record.recordedOn)},`,
  `"conversations": [\n${record.conversations.map((entry) => JSON.stringify(entry)).join(',\n')}\n],`,
  `"cases": [\n${record.cases.map((entry) => JSON.stringify(entry)).join(',\n')}\n]`,
  '}',
];
const target = join(root, 'test/conformance/templates.json');
writeFileSync(target, `${lines.join('\n')}\n`);
process.stdout.write(
  `${cases.length} of ${corpus.length} templates recorded in ${target}, as ${record.ollama.join(' and ')} take them; ${different} of them differently\n`,
);
