import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { StudioError } from '../../core/errors';
import { partialPath } from './partialOutput';
import { systemCode } from '../files/systemError';

/** What a build reads. */
export interface ReadPaths {
  readonly files: readonly string[];
  /** Folders whose files are read: models and adapters with their configuration and tokenizer. */
  readonly folders: readonly string[];
}

/**
 * Refuses an output that is one of the inputs under whatever name: the same path, a link, a hard link, or another case on
 * a file system that does not tell cases apart; and a folder that would hold or replace them.
 * @throws StudioError output/is-input, output/unwritable, output/name
 */
export async function checkOutput(output: string, kind: BuildPlan['kind'], inputs: ReadPaths): Promise<void> {
  checkName(output);
  const folder = await realpath(dirname(resolve(output))).catch((thrown: unknown) => {
    throw unusableFolder(output, thrown);
  });
  const target = resolve(folder, basename(output));
  for (const candidate of [target, partialPath(target)]) {
    await refuseInput(output, candidate, inputs);
  }
  const existing = await stat(target).catch(() => undefined);
  if (existing !== undefined && !(kind === 'gguf' ? existing.isFile() : existing.isDirectory())) {
    const what = existing.isDirectory()
      ? 'is a folder'
      : existing.isFile()
        ? 'is a file, and this command writes a folder'
        : 'is neither a file nor a folder';
    throw new StudioError('output/name', `${output} ${what}. Choose another name with --out.`, { path: output });
  }
}

function unusableFolder(output: string, thrown: unknown): StudioError {
  const missing = ['ENOENT', 'ENOTDIR'].includes(systemCode(thrown) ?? '');
  const reason = missing
    ? `The folder of ${output} does not exist. Create it first`
    : `The folder of ${output} cannot be used (${systemCode(thrown) ?? String(thrown)}). Check its permissions`;
  return new StudioError('output/unwritable', `${reason}, or choose another place with --out.`, {
    path: output,
    cause: thrown,
  });
}

async function refuseInput(output: string, candidate: string, inputs: ReadPaths): Promise<void> {
  const there = await stat(candidate, { bigint: true }).catch(() => undefined);
  // Whatever stands beside weights or an adapter is theirs; where nothing stands under the name, nothing can be hit.
  const beside = there?.isFile() === true ? (await Promise.all(inputs.folders.map(companions))).flat() : [];
  for (const input of [...inputs.files, ...inputs.folders, ...beside]) {
    // In a cache of Hugging Face the files of a folder are links to others elsewhere: both places count.
    const [real, named] = await Promise.all([realpath(input).catch(() => resolve(input)), realName(input)]);
    const same = there === undefined ? undefined : await stat(real, { bigint: true }).catch(() => undefined);
    const identical = there !== undefined && same?.ino === there.ino && same.dev === there.dev;
    if (identical || [real, named].some((path) => path === candidate || path.startsWith(candidate + sep))) {
      throw new StudioError(
        'output/is-input',
        `${output} is also an input of this build (${input}): writing it would destroy what is read. Choose another name with --out.`,
        { path: output, detail: { input } },
      );
    }
  }
}

async function realName(path: string): Promise<string> {
  const full = resolve(path);
  return join(await realpath(dirname(full)).catch(() => dirname(full)), basename(full));
}

/** Files of a model's folder, but for the GGUFs that people put there, with their records. */
async function companions(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !/\.gguf(\.build\.json)?$/i.test(name)).map((name) => join(folder, name));
}

/**
 * Names that Windows gives to devices, whatever extension follows; refused everywhere, so that a result can be carried
 * there. The small raised digits count as digits to it.
 */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d\u00b9\u00b2\u00b3])\s*(\.|$)/i;

/**
 * Refuses a name that some system cannot store: Windows' devices, its reserved characters (`a:b` would be a stream of
 * `a`), controls, a dot or space at the end.
 * @throws StudioError output/name
 */
export function checkName(output: string): void {
  const name = basename(output);
  if (
    name === '' ||
    name === '.' ||
    name === '..' ||
    DEVICE.test(name) ||
    /[. ]$/.test(name) ||
    /[<>:"|?*\\\p{Cc}]/u.test(name)
  ) {
    throw new StudioError(
      'output/name',
      `${JSON.stringify(output)} is not a name that every system can store. Choose another one with --out.`,
      { path: output },
    );
  }
}
