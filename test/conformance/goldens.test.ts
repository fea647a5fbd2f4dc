import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIXTURES, GOLDENS, runCliOk } from '../support/cli';
import { comparable, describeGguf, type Golden } from '../support/describeGguf';
import { makeModel, temporaryFolder } from '../support/models';

const work = temporaryFolder();
const FAMILIES = [
  'rugby',
  'llama2-json',
  'llama2-spm',
  'llama3',
  'mistral',
  'qwen2',
  'qwen2-narrow',
  'qwen3',
  'gemma2',
  'gemma3',
  'granite',
  'mixtral',
  'phi3',
  'qwen3moe',
  'smollm3',
  'qwen35',
  'qwen35-text',
  'qwen35moe',
  'qwen35moe-saved',
  'qwen3next',
  'gemma4',
  'gemma4moe',
  'lfm2',
  'lfm2moe',
  'gptoss',
  'gptoss-bf16',
  'qwen2vl',
  'qwen25vl',
  'qwen3vl',
  'qwen3vlmoe',
  'seedoss',
  'olmo2',
  'olmo3',
  'exaone4',
  'exaone4-small',
  'starcoder2',
  'cohere',
  'cohere2',
  'glm4',
  'ernie45',
  'stablelm',
  'phi2',
  'ministral3',
  'hunyuan',
  'smolvlm',
  'lfm2vl',
  'glm4moe',
  'deepseek3',
  'granite4-tiny',
  'nemotron3',
];
/** Made from the folder's name, which is ours and not the golden's. */
const OWN_KEYS = ['general.name', 'general.finetune', 'general.basename'];
/** test/golden/README.md: DoRA's norms are sums that no two implementations round alike. */
const BY_TOLERANCE = ['llama3.dora'];

/** The model folders are made once, on first use. */
const models = new Map<string, string>();
function modelOf(family: string): { readonly base: string; readonly adapter: (name: string) => string } {
  if (family === 'rugby') {
    return { base: join(FIXTURES, 'rugby/base'), adapter: (name) => join(FIXTURES, 'rugby', name) };
  }
  const folder = models.get(family) ?? makeModel(family, work);
  models.set(family, folder);
  return { base: join(folder, 'base'), adapter: (name) => join(folder, name) };
}

async function compare(args: readonly string[], goldenName: string): Promise<void> {
  const golden = JSON.parse(readFileSync(join(GOLDENS, `${goldenName}.json`), 'utf8')) as Golden;
  const out = join(work, `${goldenName}.gguf`);
  await runCliOk([...args, '--out', out]);
  const ours = describeGguf(out);
  rmSync(out);
  compareMetadata(ours, golden, goldenName);
  const inOrder = !goldenName.includes('.convert-') && !/\.\w+\.F32$/.test(goldenName);
  const names = (tensors: Golden['tensors']): string[] =>
    (inOrder ? tensors : [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))).map((tensor) => tensor.name);
  expect(names(ours.tensors)).toEqual(names(golden.tensors));
  const goldens = new Map(golden.tensors.map((tensor) => [tensor.name, tensor]));
  const tolerant = BY_TOLERANCE.some((name) => goldenName.startsWith(name));
  for (const tensor of ours.tensors) {
    const want = goldens.get(tensor.name)!;
    const rounded = want.values !== undefined;
    for (const [index, value] of (want.values ?? []).entries()) {
      expect(Math.abs(tensor.values![index]! - value) / Math.abs(value), tensor.name).toBeLessThan(2 ** -23);
    }
    const fields = ({ name, shape, type, bytes, sha256, offset }: Golden['tensors'][number]): unknown => ({
      name,
      shape,
      type,
      bytes,
      sha256: tolerant || rounded ? '' : sha256,
      offset: inOrder ? offset : 0,
    });
    expect(fields(tensor)).toEqual(fields(want));
  }
}

function compareMetadata(ours: Golden, golden: Golden, name: string): void {
  // Scores of a vocabulary that came as tokenizer.json alone are ours by choice: negated merge ranks, not -1000 throughout.
  const own = [...OWN_KEYS, ...(name.startsWith('llama2-json') ? ['tokenizer.ggml.scores'] : [])];
  const entries = ours.metadata.filter(({ key }) => !own.includes(key));
  const theirs = golden.metadata.filter(({ key }) => !own.includes(key));
  // The golden of an F32 build is the converter's file; ours has llama-quantize's layout, as every build has.
  if (name.endsWith('.lora.F32') || /\.(dora|rslora|mlx)\.F32$/.test(name)) {
    const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);
    entries.sort(byKey);
    theirs.sort(byKey);
  }
  expect(entries.map(({ key }) => key)).toEqual(theirs.map(({ key }) => key));
  expect(entries.map((entry, index) => comparable(entry, theirs[index]!))).toEqual(theirs);
}

const names = readdirSync(GOLDENS)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace(/\.json$/, ''));

for (const family of FAMILIES) {
  describe(family, () => {
    const own = names.filter((name) => name.split('.')[0] === (family === 'rugby' ? 'rugby-base' : family));
    it('has goldens', () => {
      expect(own.length).toBeGreaterThanOrEqual(5);
    });
    for (const name of own) {
      const [, what = '', type = ''] = name.split('.');
      if (what.startsWith('convert-')) {
        it(`convert ${name}`, () =>
          compare(['convert', '--base', modelOf(family).base, '--type', what.slice('convert-'.length)], name));
      } else if (type === '') {
        it(`build ${name}`, () => compare(['build', '--base', modelOf(family).base, '--type', what], name));
      } else {
        it(`build with an adapter ${name}`, () => {
          const { base, adapter } = modelOf(family);
          expect(existsSync(adapter(what))).toBe(true);
          return compare(['build', '--base', base, '--adapter', adapter(what), '--type', type], name);
        });
      }
    }
  });
}
