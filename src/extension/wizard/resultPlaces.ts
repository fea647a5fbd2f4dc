import { lstat, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { toStudioError } from '../../core/errors';
import { checkName } from '../../node/output/checkOutput';
import { editorWords } from '../editorWords';

/** A path as it is shown and typed: below the first folder of the workspace without that, below the home folder with `~`. */
export function shownPath(path: string, root: string | undefined): string {
  const within = root === undefined ? undefined : below(root, path);
  const atHome = below(homedir(), path);
  return within ?? (atHome === undefined ? path : `~${sep}${atHome}`);
}

/** The absolute path that was typed: `~` is the home folder, everything else begins at the first folder of the workspace. */
export function typedPath(text: string, root: string | undefined): string {
  const path = text === '~' || /^~[\\/]/.test(text) ? join(homedir(), text.slice(1)) : text;
  return isAbsolute(path) ? path : resolve(root ?? homedir(), path);
}

/** What keeps a result from being written there, as far as a look tells; undefined where nothing does. */
export async function outputProblem(
  text: string,
  { kind, root }: { readonly kind: 'gguf' | 'folder'; readonly root: string | undefined },
): Promise<string | undefined> {
  if (text === '' || /[\\/]$/.test(text)) {
    return kind === 'gguf' ? 'Write the name of the file.' : 'Write the name of the folder.';
  }
  const path = typedPath(text, root);
  const folder = dirname(path);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    return `There is no folder ${shownPath(folder, root) || folder}.`;
  }
  try {
    checkName(path);
  } catch (thrown) {
    return editorWords(toStudioError(thrown).message);
  }
  const found = await lstat(path).catch(() => undefined);
  if (kind === 'gguf' && found?.isDirectory() === true) {
    return `${basename(path)} is a folder.`;
  }
  if (kind === 'gguf' && !/\.gguf$/i.test(path)) {
    return 'The name of a GGUF ends in .gguf, or nothing finds it again.';
  }
  return kind === 'folder' && found !== undefined && !found.isDirectory() ? `${basename(path)} is a file.` : undefined;
}

/** The way from a folder to a path in it; undefined where it is not in it. */
function below(folder: string, path: string): string | undefined {
  const way = relative(folder, path);
  return way === '' || isAbsolute(way) || way === '..' || way.startsWith(`..${sep}`) ? undefined : way;
}
