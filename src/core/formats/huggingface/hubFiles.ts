import * as z from 'zod';
import { StudioError } from '../../errors';
import { quoteName } from '../../quoteName';
import { isPlainFileName } from '../safetensors/shardIndex';

/** A file of a repository on the hub, its facts checked: a plain name, a size that can be, a checksum that is one. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** Of large files: SHA-256 of the content, hex. */
  readonly sha256?: string | undefined;
  /** Of small files: git's name of the blob, hex; SHA-1, or SHA-256 where the repository uses it. */
  readonly gitOid?: string | undefined;
}

/** One entry of a listing as the hub sends it; what else it says is not looked at before the file is wanted. */
export const hubEntrySchema = z.looseObject({ type: z.string(), path: z.string() });
export type HubEntry = z.infer<typeof hubEntrySchema>;

const fileSchema = z.object({
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).nullish(),
});

/**
 * What a listing says of one file that is to be fetched. Without a checksum nothing could be held against what arrives, and the
 * checksum becomes a file name in the cache: so anything but hex digits is refused.
 * @throws StudioError hub/protocol
 */
function checkedFile(repository: string, entry: HubEntry): HubFile {
  const read = fileSchema.safeParse(entry);
  if (!read.success || (read.data.lfs && read.data.lfs.size !== read.data.size)) {
    const where = read.success ? 'size' : (read.error.issues[0]?.path.join('.') ?? '');
    throw new StudioError(
      'hub/protocol',
      `The listing of ${repository} has no usable ${where === 'size' ? 'size' : 'checksum'} for ${quoteName(entry.path)}, so that nothing could be checked. Nothing was fetched: check HF_ENDPOINT, and that you trust what answers there.`,
      { detail: { file: entry.path.slice(0, 200), field: where } },
    );
  }
  const { path, size, oid, lfs } = read.data;
  return { path, bytes: size, ...(lfs ? { sha256: lfs.oid } : { gitOid: oid }) };
}

export type HubKind = 'model' | 'adapter';

const TOKENIZER =
  /^(?:tokenizer\.json|tokenizer\.model|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|chat_template\.(?:jinja|json))$/;
/** For people, written in either case. */
const TEXT = /^(?:README\.md|LICENSE(?:\.\w+)?|NOTICE(?:\.\w+)?)$/i;
/** `modules.json` tells an embedding model, which must not be converted as if it wrote text. */
const MODEL =
  /^(?:config\.json|generation_config\.json|modules\.json|model[^/]*\.safetensors|model\.safetensors\.index\.json)$/;
/** The settings of sentence-transformers' modules (`1_Pooling`), each in a folder of its own: how the vectors of tokens become one. */
const POOLING = /^\d{1,2}_[A-Za-z]{1,40}\/config\.json$/;
const ADAPTER = /^(?:adapter_config\.json|adapter_model\.safetensors|adapters\.safetensors)$/;
const PICKLED = /\.(?:bin|pt|pth|ckpt|pkl)$/i;

/**
 * The files of a repository, out of its listing, that a base or an adapter needs, and no others: no second form of the weights, no pickles, no
 * folders but those of an embedding model's pooling. Sorted, small ones first, so that a wrong repository is noticed soon.
 * @throws StudioError hub/not-usable where what is needed is not there, hub/protocol where its size or checksum cannot be
 */
export function chooseHubFiles(repository: string, kind: HubKind, files: readonly HubEntry[]): HubFile[] {
  const own = kind === 'model' ? MODEL : ADAPTER;
  const taken = new Set<string>();
  const wanted = files.filter(({ path }) => {
    const isWanted = isPlainFileName(path)
      ? own.test(path) || TOKENIZER.test(path) || TEXT.test(path)
      : kind === 'model' && POOLING.test(path);
    // Two names that are one where the file system knows no case: the first.
    if (!isWanted || taken.has(path.toLowerCase())) {
      return false;
    }
    taken.add(path.toLowerCase());
    return true;
  });
  const chosen = wanted.map((entry) => checkedFile(repository, entry));
  const names = new Set(chosen.map(({ path }) => path));
  const weights = chosen.filter(({ path }) => path.endsWith('.safetensors'));
  const config = kind === 'model' ? 'config.json' : 'adapter_config.json';
  if (!names.has(config) || weights.length === 0) {
    throw notUsable(repository, kind, files, names.has(config));
  }
  return chosen.sort((a, b) => a.bytes - b.bytes || (a.path < b.path ? -1 : 1));
}

function notUsable(repository: string, kind: HubKind, files: readonly HubEntry[], hasConfig: boolean): StudioError {
  const has = (test: (path: string) => boolean): boolean => files.some(({ path }) => test(path));
  const say = (text: string): StudioError =>
    new StudioError('hub/not-usable', `${repository} ${text}`, {
      detail: { files: files.slice(0, 50).map(({ path }) => path) },
    });
  if (kind === 'model' && has((path) => path === 'adapter_config.json')) {
    return say(
      'is an adapter, not a model. Fetch it with fetch-adapter, and the base that its adapter_config.json names with fetch-model.',
    );
  }
  if (kind === 'adapter' && has((path) => path === 'config.json')) {
    return say('is a model, not an adapter. Fetch it with fetch-model.');
  }
  const folders = [...new Set(files.flatMap(({ path }) => /^(.+)\/adapter_config\.json$/.exec(path)?.[1] ?? []))];
  if (kind === 'adapter' && folders.length > 0) {
    return say(
      `has its adapters in folders (${folders.slice(0, 5).join(', ')}), and only one at the top is fetched. Fetch that folder with the hub's own tool: hf download ${repository} --include "${folders[0]!}/*".`,
    );
  }
  if (has((path) => /\.gguf$/i.test(path)) && !hasConfig) {
    return say(
      `holds GGUFs and no safetensors. Pull one with \`ollama pull hf.co/${repository}\` and use it as the base (ollama:NAME), or fetch the model that it was made from.`,
    );
  }
  if (has((path) => PICKLED.test(path))) {
    return say(
      'has its weights only as Python pickles, which can run code when they are loaded and so are not fetched. Look for a revision with safetensors (refs/pr/…), or another copy of the model.',
    );
  }
  return say(
    hasConfig
      ? 'has no safetensors at its top. It is no model in the form of transformers.'
      : `has no ${kind === 'model' ? 'config.json' : 'adapter_config.json'}. Check the name on the hub.`,
  );
}

/** `ORG/NAME`, `NAME`, or either with `@REVISION`; undefined for anything else. */
export function parseHubReference(
  text: string,
): { readonly repository: string; readonly revision: string | undefined } | undefined {
  const trimmed = text
    .trim()
    .replace(/^https:\/\/huggingface\.co\//, '')
    .replace(/^hf\.co\//, '');
  const found =
    /^((?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95})(?:@([A-Za-z0-9][A-Za-z0-9._/-]{0,127}))?$/.exec(
      trimmed,
    );
  if (found === null || trimmed.includes('..') || trimmed.includes('//')) {
    return undefined;
  }
  return { repository: found[1]!, revision: found[2] };
}
