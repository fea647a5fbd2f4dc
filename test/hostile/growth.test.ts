import { describe, expect, it } from 'vitest';
import type { ArtefactFiles, ListedEntry } from '../../src/core/artefacts/artefactFiles';
import { scanFolders } from '../../src/core/artefacts/scanFolders';
import { memorySource } from '../../src/core/bytes';
import { StudioError } from '../../src/core/errors';
import { describeGguf } from '../../src/core/formats/gguf/readGguf';
import { describeSafetensors } from '../../src/core/formats/safetensors/readSafetensors';
import { formatModelfile } from '../../src/core/modelfile/formatModelfile';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { table } from '../../src/cli/ollama';
import { buildGguf, textKey } from './ggufBuilder';

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** A folder in memory. */
function inMemory(contents: ReadonlyMap<string, Uint8Array>): ArtefactFiles {
  const entry = (name: string, bytes: number, kind: ListedEntry['kind'] = 'file'): ListedEntry => ({
    name,
    kind,
    bytes,
    modified: 1,
    identity: name,
  });
  const missing = (path: string): StudioError => new StudioError('input/missing', 'There is none.', { path });
  return {
    list: (folder) =>
      folder === '/m'
        ? Promise.resolve([...contents].map(([name, bytes]) => entry(name, bytes.length)))
        : Promise.reject(missing(folder)),
    open: (path) => {
      const bytes = contents.get(path.slice(3));
      return bytes === undefined
        ? Promise.reject(missing(path))
        : Promise.resolve({ ...memorySource(bytes), close: () => Promise.resolve() });
    },
    stat: (path) => Promise.resolve(path === '/m' ? entry('m', 0, 'folder') : undefined),
    join: (folder, name) => `${folder}/${name}`,
    baseName: (path) => path.slice(path.lastIndexOf('/') + 1),
    parent: (path) => path.slice(0, path.lastIndexOf('/')),
  };
}

async function scan(contents: ReadonlyMap<string, Uint8Array>): Promise<unknown> {
  const run = scanFolders(inMemory(contents), ['/m']);
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

const CONFIG = text({ architectures: ['LlamaForCausalLM'], model_type: 'llama' });

function indexed(shards: number, tensors: number): ReadonlyMap<string, Uint8Array> {
  const map = Object.fromEntries(
    Array.from({ length: tensors }, (_, at) => [`model.layers.${at}.weight`, `m${at % shards}.safetensors`]),
  );
  return new Map([
    ['config.json', CONFIG],
    ['model.safetensors.index.json', text({ metadata: {}, weight_map: map })],
  ]);
}

function header(tensors: number): Uint8Array {
  const json = text(
    Object.fromEntries(
      Array.from({ length: tensors }, (_, at) => [
        `model.layers.${at}.weight`,
        { dtype: 'U8', shape: [1], data_offsets: [at, at + 1] },
      ]),
    ),
  );
  const bytes = new Uint8Array(8 + json.length + tensors);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const part = buildGguf({ keys: [textKey('general.architecture', 'llama')], tensors: [] });
const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** What counts, how many of it, and work that takes some milliseconds for the tenth of it. */
const GROWING: readonly [string, number, (count: number) => () => unknown][] = [
  [
    'shards that are missing',
    10_000,
    (count) => {
      const folder = indexed(count, count * 10);
      return () => scan(folder);
    },
  ],
  [
    'parts of a split GGUF',
    5000,
    (count) => {
      const name = (at: number): string =>
        `x-${String(at + 1).padStart(5, '0')}-of-${String(count + 9).padStart(5, '0')}`;
      const folder = new Map(range(count).map((at) => [`${name(at)}.gguf`, part]));
      return () => scan(folder);
    },
  ],
  [
    'artefacts in one folder',
    20_000,
    (count) => {
      const folder = new Map(range(count).map((at) => [`m${at}.gguf`, part]));
      return () => scan(folder);
    },
  ],
  [
    'tensors of a safetensors',
    200_000,
    (count) => {
      const bytes = header(count);
      return () => describeSafetensors(memorySource(bytes));
    },
  ],
  [
    'tensors of a GGUF',
    200_000,
    (count) => {
      const tensors = range(count).map((at) => ({ name: `blk.${at}.attn_q.weight`, dimensions: [1n] }));
      const bytes = buildGguf({ keys: [textKey('general.architecture', 'llama')], tensors });
      return () => describeGguf(memorySource(bytes));
    },
  ],
  [
    'keys of a GGUF',
    100_000,
    (count) => {
      const bytes = buildGguf({ keys: range(count).map((at) => textKey(`key.${at}`, 'x')), tensors: [] });
      return () => describeGguf(memorySource(bytes));
    },
  ],
  [
    'models of a server',
    400_000,
    (count) => {
      const rows = range(count).map((at) => [`m${at}`, 'a'.repeat(12), '1 B', at === 5 ? 'x'.repeat(1e6) : '']);
      return () => table(rows);
    },
  ],
  ...(['parse', 'lint', 'format'] as const).map((what): [string, number, (count: number) => () => unknown] => [
    `MESSAGE lines (${what})`,
    what === 'parse' ? 150_000 : 40_000,
    (count) => {
      const source = `FROM x\n${range(count)
        .map((at) => `MESSAGE ${at % 2 === 0 ? 'user' : 'assistant'} hello ${at}\n`)
        .join('')}`;
      const work = {
        parse: parseModelfile,
        lint: (one: string) => lintText(parseModelfile(one)),
        format: (one: string) => formatModelfile(parseModelfile(one)),
      };
      return () => work[what](source);
    },
  ]),
  [
    'parameters and layers of a Modelfile (lint)',
    30_000,
    (count) => {
      const source = `FROM x\n${range(count)
        .map((at) => `PARAMETER stop "s${at}"\nLICENSE l${at}\n`)
        .join('')}`;
      return () => lintText(parseModelfile(source));
    },
  ],
];

async function processorTime(work: () => unknown): Promise<number> {
  let least = Infinity;
  for (let run = 0; run < 2; run++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

describe('ten times as many take about ten times as long', () => {
  it.each(GROWING)('%s', { timeout: 120_000 }, async (what, most, make) => {
    const few = make(most / 10);
    await few();
    const short = await processorTime(few);
    const long = await processorTime(make(most));
    console.log(`${what}: ${Math.round(short)} ms for ${most / 10}, ${Math.round(long)} ms for ${most}`);
    // A walk over all for each takes a hundred times as long; caches that no longer hold it all, some twenty times.
    expect(long).toBeLessThan(35 * Math.max(short, 15));
  });
});
