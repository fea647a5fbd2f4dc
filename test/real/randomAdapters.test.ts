import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, type TestContext } from 'vitest';
import { CONVERTER_SOURCE } from '../../scripts/install/installConverter.mjs';
import { converterOrSkip } from '../support/converter';
import { toStudioError, type StudioError } from '../../src/core/errors';
import { buildFromPlan } from '../../src/node/engine/buildFromPlan';
import { finishFusedFolder } from '../../src/node/engine/finishFusedFolder';
import { prepareBuild, prepareFuse } from '../../src/node/engine/prepareBuild';
import { FIXTURES, ROOT } from '../support/cli';
import { collect } from '../support/collect';
import { makeFrom, temporaryFolder } from '../support/models';
import { readTensors } from '../support/tensors';
import { isRefusalTrue, type Draw } from './peft/trueRefusals';

/**
 * Random adapters of PEFT (families, all of its options, ties, tokens, checkpoints), merged here and compared with the live
 * adapter by their logits. ADAPTERS is how many are drawn (60; 1,000 by hand), SEED the first one's seed.
 */
const COUNT = Number(process.env['ADAPTERS'] ?? 60);
const SEED = Number(process.env['SEED'] ?? 1);
/** Of the mean |logit|: f32 in other orders of summation. */
const LIMIT = 1e-3;
const IDS = Array.from({ length: 48 }, (_, index) => 3 + index * 11);
const FAMILIES = [
  'llama3',
  'llama2-spm',
  'mistral',
  'qwen2',
  'qwen3',
  'gemma2',
  'gemma3',
  'phi3',
  'granite',
  'smollm3',
  'mixtral',
  'qwen3moe',
];

interface Job {
  readonly seed: number;
  readonly family: string;
  readonly base: string;
  readonly folder: string;
  readonly ids: readonly number[];
}

type Answer =
  | { readonly ok: true; readonly fused?: number; readonly gguf?: number; readonly tied?: boolean }
  | { readonly ok: false; readonly error: string };

const folder = temporaryFolder();

async function python(
  script: string,
  args: readonly string[],
  jobs: readonly unknown[],
  executable: string,
): Promise<Answer[]> {
  const list = join(folder, `${script}.json`);
  writeFileSync(list, JSON.stringify(jobs));
  const { stdout } = await promisify(execFile)(executable, [join(ROOT, 'test/real/peft', script), ...args, list], {
    maxBuffer: 1 << 28,
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer);
}

/** Merges an adapter into a folder or a GGUF of f32; what it is refused with, or undefined. */
async function mergeInto(
  what: 'folder' | 'GGUF',
  base: string,
  adapter: string,
  output: string,
): Promise<StudioError | undefined> {
  const adapters = [{ path: adapter, weight: 1 }];
  const options = {
    force: false,
    workers: 1,
    signal: new AbortController().signal,
    workerScript: join(ROOT, 'dist/worker.js'),
  };
  try {
    if (what === 'GGUF') {
      const plan = await prepareBuild({ base, adapters, fileType: 'F32', output, layout: 'quantised' });
      await collect(buildFromPlan(plan, options));
    } else {
      const { plan, base: model } = await prepareFuse({ base, adapters, output, dtype: 'F32' });
      await collect(
        buildFromPlan(plan, { ...options, finishFolder: (folder) => finishFusedFolder(folder, plan, model) }),
      );
    }
    return undefined;
  } catch (thrown) {
    return toStudioError(thrown);
  }
}

/** A noise model of a family, with embedding and head in one or apart. */
function baseOf(family: string, tied: boolean): string {
  const out = join(folder, `${family}-${tied ? 'tied' : 'apart'}`);
  if (!existsSync(out)) {
    const spec = JSON.parse(readFileSync(join(FIXTURES, 'specs', `${family}.json`), 'utf8')) as {
      config: object;
      adapters: unknown;
    };
    const file = join(folder, `${family}-${String(tied)}.json`);
    writeFileSync(
      file,
      JSON.stringify({ ...spec, adapters: [], config: { ...spec.config, tie_word_embeddings: tied } }),
    );
    makeFrom(file, out);
  }
  return join(out, 'base');
}

/** Whether an adapter's file (or that of the one checkpoint in it) has anything on the embedding or the head. */
function holdsVocabulary(adapter: string): boolean {
  const file = readdirSync(adapter, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('adapter_model.safetensors'),
  );
  return [...readTensors(join(adapter, file ?? '')).keys()].some((name) => /embed_tokens|lm_head/.test(name));
}

describe('random adapters of PEFT', () => {
  it(
    'give the logits that they have live, as a folder and as a GGUF, or are refused for a reason',
    { timeout: 7_200_000 },
    async (context: TestContext) => {
      const executable = converterOrSkip(context);
      const jobs = Array.from({ length: COUNT }, (_, index): Job => {
        const seed = SEED + index;
        const family = FAMILIES[seed % FAMILIES.length]!;
        // Gemma 1 and 2 are tied always.
        const tied = family === 'gemma2' || Math.floor(seed / FAMILIES.length) % 2 === 0;
        const own = join(folder, `draw-${seed}`);
        mkdirSync(own);
        return { seed, family: `${family}${tied ? ' (tied)' : ''}`, base: baseOf(family, tied), folder: own, ids: IDS };
      });
      console.log(`adapters ${SEED} to ${SEED + COUNT - 1} (SEED, ADAPTERS)`);
      const drawn = await python('draw.py', [], jobs, executable);
      const faults: string[] = [];
      const counts = { right: 0, notDrawn: 0, refusedFolder: 0, refusedGguf: 0 };
      const merged: { job: Job; draw: Draw; fused: string | null; gguf: string | null; config: string }[] = [];
      const say = (job: Job, draw: Draw, what: string): void => {
        faults.push(
          `seed ${job.seed}, ${job.family}: ${what}\n    ${JSON.stringify(draw.options)} +${draw.added} rows`,
        );
      };
      for (const [index, job] of jobs.entries()) {
        if (!drawn[index]!.ok) {
          counts.notDrawn++;
          continue;
        }
        const draw = JSON.parse(readFileSync(join(job.folder, 'draw.json'), 'utf8')) as Draw;
        const [fused, gguf] = [join(job.folder, 'fused'), join(job.folder, 'o.gguf')];
        const results = [
          ['folder', await mergeInto('folder', job.base, draw.adapter, fused)],
          ['GGUF', await mergeInto('GGUF', job.base, draw.adapter, gguf)],
        ] as const;
        for (const [what, refusal] of results) {
          if (refusal !== undefined) {
            counts[what === 'GGUF' ? 'refusedGguf' : 'refusedFolder']++;
            if (!isRefusalTrue(what, job.family, draw, refusal)) {
              say(job, draw, `the ${what} is refused: ${refusal.code} ${refusal.message}`);
            }
          }
        }
        const [asFolder, asGguf] = results.map(([, refusal]) => refusal === undefined);
        if (asFolder === true || asGguf === true) {
          const paths = { fused: asFolder === true ? fused : null, gguf: asGguf === true ? gguf : null };
          merged.push({ job, draw, config: job.base, ...paths });
        }
      }
      const judging = merged.map(({ job, draw, config, fused, gguf }) => ({
        folder: job.folder,
        rowsOnlyLive: holdsVocabulary(draw.adapter) ? 0 : draw.added,
        ids: IDS,
        config,
        fused,
        gguf,
      }));
      const judged = await python('judge.py', [CONVERTER_SOURCE], judging, executable);
      merged.forEach(({ job, draw }, index) => {
        const answer = judged[index];
        if (answer?.ok !== true) {
          say(job, draw, `transformers does not load it: ${answer?.error ?? ''}`);
        } else if ((answer.fused ?? 0) > LIMIT || (answer.gguf ?? 0) > LIMIT) {
          const off = `${answer.fused?.toPrecision(3) ?? '-'} as a folder and ${answer.gguf?.toPrecision(3) ?? '-'} as a GGUF`;
          say(
            job,
            draw,
            `off by ${off} (what was trained, against what PEFT loads again: ${draw.reload.toPrecision(3)})`,
          );
        } else {
          counts.right++;
        }
      });
      console.log(JSON.stringify(counts));
      faults.forEach((fault) => console.log(fault));
      expect(faults).toEqual([]);
      expect(counts.right).toBeGreaterThan(COUNT / 2);
    },
  );
});
