import { stat } from 'node:fs/promises';
import { expandModelfilePath, expandModelfilePaths, isRemotePath } from '../../node/modelfile/modelfileFiles';

/** What a FROM names: a file or folder here, else a model that Ollama has. */
export type ModelfileSource =
  { readonly kind: 'path'; readonly path: string } | { readonly kind: 'name'; readonly name: string };

/** What is at a path is a path, also by a pattern (the first file of a split model stands for all); everything else is a name. */
export async function sourceOf(value: string, directory: string): Promise<ModelfileSource> {
  if (isRemotePath(value)) {
    return { kind: 'path', path: value };
  }
  const plain = await expandModelfilePath(value, directory);
  const [path = plain] = (await isThere(plain)) ? [plain] : await expandModelfilePaths(value, directory);
  return (await isThere(path)) ? { kind: 'path', path } : { kind: 'name', name: value };
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
