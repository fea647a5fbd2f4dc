// The folder, the names and the Modelfile of what `create` makes, for a time or to keep.
import { stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { StudioError } from '../../core/errors';
import type { Route } from '../../core/routes/planRoutes';
import { freeBytes } from '../files/freeSpace';
import { reclaimTemporaryFolders, temporaryFolder as newTemporaryFolder } from '../files/temporaryFolder';
import { existsError } from '../output/partialOutput';

/** Where the Modelfile is written; undefined while it is made in a folder that is removed. */
export function keptModelfile(request: {
  readonly modelfilePath?: string | undefined;
  readonly keepIn?: string | undefined;
  readonly name: string;
}): string | undefined {
  const { modelfilePath, keepIn, name } = request;
  return modelfilePath ?? (keepIn === undefined ? undefined : join(keepIn, `${stem(name)}.Modelfile`));
}

/** As a Modelfile names a file beside it; any other by its whole path. */
export function relativeTo(modelfile: string, file: string): string {
  const path = relative(dirname(resolve(modelfile)), resolve(file));
  return path.startsWith('..') || isAbsolute(path) ? resolve(file) : `./${path.replaceAll('\\', '/')}`;
}

/** In the usual place for temporary files, or beside the user where that has no room. */
export async function temporaryFolder(route: Route): Promise<string> {
  // First what killed runs left in either place: that may be the room that is needed.
  await reclaimTemporaryFolders(tmpdir());
  await reclaimTemporaryFolders(process.cwd());
  const needed = (route.temporaryBytes ?? 0) * 1.05;
  const free = await freeBytes(join(tmpdir(), 'x'));
  return await newTemporaryFolder(free === undefined || free >= needed ? undefined : process.cwd());
}

export async function writeModelfile(path: string, text: string, replace: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: replace ? 'w' : 'wx' });
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') {
      throw existsError(path);
    }
    throw new StudioError('output/unwritable', `${path} cannot be written. Check the folder and its permissions.`, {
      path,
      cause: thrown,
    });
  }
}

/** File names of a model's name. */
export function stem(name: string): string {
  return name.replace(/:latest$/, '').replace(/[^A-Za-z0-9._-]+/g, '-');
}

/** A folder to keep files in, as the user named it. */
export async function requireFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new StudioError('output/unwritable', `${path} is no folder. Create it first, or choose another place.`, {
      path,
    });
  }
  return path;
}
