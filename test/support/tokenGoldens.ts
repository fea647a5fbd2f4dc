import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../golden-tokens', import.meta.url));

/** test/golden-tokens/README.md */
export interface TokenGolden {
  readonly tool: string;
  /** Whether the names of special tokens in the text stand for them. */
  readonly special: boolean;
  /** One list for each line of the corpus, no token added before or after. */
  readonly ids: readonly (readonly number[])[];
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));

export const TOKEN_CORPUS = read('corpus') as readonly string[];

export function readTokenGolden(name: string): TokenGolden {
  return read(name) as TokenGolden;
}
