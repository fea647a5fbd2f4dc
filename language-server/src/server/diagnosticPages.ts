import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Where each diagnostic is explained, by its code: the line of its heading in the VALIDATOR.md that comes with the bundle.
 * Empty where that file is not there.
 * @param bundleFolder where `server.js` lies
 */
export async function diagnosticPages(bundleFolder: string): Promise<ReadonlyMap<string, string>> {
  const path = join(bundleFolder, '..', 'language-server', 'VALIDATOR.md');
  const text = await readFile(path, 'utf8').catch(() => '');
  const href = pathToFileURL(path).href;
  const pages = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const code = /^### `([a-z]+\/[a-z-]+)`$/.exec(line)?.[1];
    if (code !== undefined) {
      pages.set(code, `${href}#L${index + 1}`);
    }
  }
  return pages;
}
