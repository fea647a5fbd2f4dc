import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, resolve, sep } from 'node:path';
import { StudioError } from '../core/errors';
import { partialPath } from './partialOutput';

/**
 * Refuses an output that is one of the inputs under whatever name: the same path, a link, a hard link, or another case on
 * a file system that does not tell cases apart; and a folder that would hold or replace them.
 * @throws StudioError output/is-input, output/unwritable, output/name
 */
export async function checkOutput(output: string, inputs: readonly string[]): Promise<void> {
  checkName(output);
  const folder = await realpath(dirname(resolve(output))).catch(() => undefined);
  if (folder === undefined) {
    throw new StudioError('output/unwritable', `The folder of ${output} does not exist. Create it first, or choose another place with --out.`, { path: output });
  }
  const target = resolve(folder, basename(output));
  for (const candidate of [target, partialPath(target)]) {
    const there = await stat(candidate, { bigint: true }).catch(() => undefined);
    for (const input of inputs) {
      const real = await realpath(input).catch(() => resolve(input));
      const same = there === undefined ? undefined : await stat(real, { bigint: true }).catch(() => undefined);
      const identical = there !== undefined && same?.ino === there.ino && same.dev === there.dev;
      if (identical || real === candidate || real.startsWith(candidate + sep)) {
        throw new StudioError('output/is-input', `${output} is also an input of this build (${input}): writing it would destroy what is read. Choose another name with --out.`, { path: output, detail: { input } });
      }
    }
  }
  const existing = await stat(target).catch(() => undefined);
  if (existing !== undefined && !existing.isFile() && !existing.isDirectory()) {
    throw new StudioError('output/name', `${output} is neither a file nor a folder. Choose another name with --out.`, { path: output });
  }
}

/** Names that Windows gives to devices or cannot store; refused everywhere, so that a result can be carried there. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

function checkName(output: string): void {
  const name = basename(output);
  if (name === '' || name === '.' || name === '..' || DEVICE.test(name) || /[. ]$/.test(name) || /[<>:"|?*\p{Cc}]/u.test(name)) {
    throw new StudioError('output/name', `${JSON.stringify(output)} is not a name that every system can store. Choose another one with --out.`, { path: output });
  }
}
