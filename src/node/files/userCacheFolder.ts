import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where this product keeps what it fetched or compiled: `MODELFILE_STUDIO_CACHE`, else the system's folder for caches. */
export function userCacheFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { MODELFILE_STUDIO_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (MODELFILE_STUDIO_CACHE !== undefined && MODELFILE_STUDIO_CACHE !== '') {
    return MODELFILE_STUDIO_CACHE;
  }
  if (platform === 'win32') {
    return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'modelfile-studio', 'Cache');
  }
  return platform === 'darwin'
    ? join(homedir(), 'Library', 'Caches', 'modelfile-studio')
    : join(
        XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === '' ? join(homedir(), '.cache') : XDG_CACHE_HOME,
        'modelfile-studio',
      );
}
