import { StudioError } from '../../core/errors';
import { sixteenBitName } from '../../core/formats/huggingface/quantisedBase';
import { parseHubReference } from '../../core/formats/huggingface/hubFiles';
import { findBase } from './findBase';
import { hubCacheFolder } from '../hub/hubSettings';
import { loadAdapter } from './loadAdapter';

/** The base of an adapter, where it was found, and under which name. */
export interface FoundBase {
  readonly path: string;
  readonly name: string;
}

/**
 * Finds the base that an adapter names: that path, a folder of its name beside the adapter or above it, or the Hugging Face cache. For
 * an adapter that was trained on a quantised copy (`…-bnb-4bit`) the model that it was made from counts, and comes first.
 * @throws StudioError adapter/base-missing, which says which model it is and how to get it; adapter/…
 */
export async function requireBase(adapterPath: string, signal?: AbortSignal): Promise<FoundBase> {
  const { baseName, directory } = await loadAdapter(adapterPath, signal === undefined ? {} : { signal });
  if (baseName === undefined) {
    throw new StudioError(
      'adapter/base-missing',
      `${adapterPath} does not say which model it was trained on. Name the folder of that model with --base.`,
      { path: adapterPath },
    );
  }
  const original = sixteenBitName(baseName);
  const names = original === undefined ? [baseName] : [original, baseName];
  for (const name of names) {
    const path = await findBase(name, directory);
    if (path !== undefined) {
      return { path, name };
    }
  }
  const wanted = names[0]!;
  const isHubName = parseHubReference(wanted) !== undefined && wanted.includes('/');
  throw new StudioError(
    'adapter/base-missing',
    `${adapterPath} was trained on ${baseName}${original === undefined ? '' : `, a quantised copy of ${original}`}, which is neither beside it nor in the Hugging Face cache (${hubCacheFolder()}). ${isHubName ? `Fetch it with \`modelfile-studio fetch-model ${wanted}\`, or name` : 'Name'} its folder with --base.`,
    {
      path: adapterPath,
      detail: { base: wanted, ...(isHubName ? { repository: wanted } : {}) },
    },
  );
}
