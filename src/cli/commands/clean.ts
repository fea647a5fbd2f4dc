import { resolve } from 'node:path';
import { toStudioError, type ErrorJson } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { formatBytes } from '../../core/formatBytes';
import { findLeftovers, readLeftover, removeLeftover, type Leftover } from '../../node/output/findLeftovers';
import type { Command } from '../command';
import { flag, usageError } from '../options';

interface Cleaned extends Leftover {
  readonly removed: boolean;
  readonly error?: ErrorJson | undefined;
}

/** `clean PATH… [--remove]`: the unfinished outputs in folders, or of the results that are named. */
export const clean: Command = {
  name: 'clean',
  usage: 'PATH… [--remove]',
  does: 'list what unfinished runs left in folders, or of a result; --remove deletes it',
  options: { remove: { type: 'boolean' } },
  async run(positionals, options, context) {
    if (positionals.length === 0) {
      throw usageError('clean needs a folder, or the name of a result that was not finished. For example: clean .');
    }
    const found = new Map<string, Leftover>();
    for (const path of positionals) {
      const own = await readLeftover(path);
      const all = own === undefined ? await findLeftovers([path], context.signal) : [own];
      all.forEach((leftover) => found.set(resolve(leftover.output), leftover));
    }
    const cleaned: Cleaned[] = [];
    for (const leftover of found.values()) {
      cleaned.push(flag(options, 'remove') ? await remove(leftover) : { ...leftover, removed: false });
    }
    const failed = cleaned.some(({ error }) => error !== undefined);
    return {
      exitCode: failed ? 1 : 0,
      json: { leftovers: cleaned },
      text: cleaned.length === 0 ? 'Nothing unfinished was left here.' : cleaned.map(line).join('\n'),
    };
  },
};

async function remove(leftover: Leftover): Promise<Cleaned> {
  try {
    return { ...leftover, removed: await removeLeftover(leftover.output) };
  } catch (thrown) {
    return { ...leftover, removed: false, error: toStudioError(thrown).toJSON() };
  }
}

function line({ output, partial, bytes, finishedUnits, inUse, removed, error }: Cleaned): string {
  const state =
    error !== undefined
      ? `${error.code}: ${error.message}`
      : removed
        ? 'removed'
        : inUse
          ? 'being written right now'
          : `${finishedUnits} units done; the same command goes on with it`;
  return escapeControls(`${partial} · ${formatBytes(bytes)} · for ${output} · ${state}`);
}
