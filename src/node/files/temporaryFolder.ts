import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeError } from './systemError';

/** Followed by the number of the process that made it. */
const PREFIX = 'modelfile-studio-create-';
const OURS = new RegExp(`^\\.?${PREFIX}(\\d+)-[0-9a-f]{12}$`);

/**
 * A new folder for files that are needed for a while. Those of processes that were killed before they could remove
 * theirs are removed first: a GGUF of many gigabytes must not stay for ever.
 * @param parent another place than the system's own for temporary files
 */
export async function temporaryFolder(parent?: string): Promise<string> {
  const place = parent ?? tmpdir();
  const prefix = parent === undefined ? PREFIX : `.${PREFIX}`;
  await reclaimTemporaryFolders(place);
  const folder = join(place, `${prefix}${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    // For this user alone: a model may be nobody else's business.
    await mkdir(folder, { mode: 0o700 });
  } catch (thrown) {
    throw writeError(thrown, folder);
  }
  return folder;
}

/** Removes the folders of processes that are gone; a place that cannot be read has none. */
export async function reclaimTemporaryFolders(place: string): Promise<void> {
  const names = await readdir(place).catch(() => []);
  for (const name of names) {
    const found = OURS.exec(name);
    if (found !== null && !isRunning(Number(found[1]))) {
      await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** Also true for a process of another user, and where it cannot be told. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return !(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH');
  }
}
