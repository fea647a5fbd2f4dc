import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { userCacheFolder } from '../files/userCacheFolder';

/**
 * Lets V8 keep what it compiled of the modules that are loaded from here on in the user's cache folder, so that the next start
 * need not compile it again. Node checks an entry against the text of its module; NODE_DISABLE_COMPILE_CACHE=1 turns it off.
 * Where the folder cannot be written, or Node has no such cache (before 22.1), everything works as without it.
 */
export function useCompileCache(): void {
  try {
    (enableCompileCache as typeof enableCompileCache | undefined)?.(join(userCacheFolder(), 'v8'));
  } catch {
    // Faster starts are all that is lost.
  }
}
