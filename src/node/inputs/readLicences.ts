import { readdir } from 'node:fs/promises';
import type { GgufFile } from '../../core/formats/gguf/ggufTypes';
import { readModelCard } from '../../core/formats/huggingface/modelCard';
import { readModelText } from './readModelFile';

/** Names of files that hold a licence. */
const LICENCE_NAME = /^(?:licen[cs]e|copying|use[_-]policy)(?:[-_.][\w.-]*)?$/i;
const OTHER_KIND = /\.(?:json|py|png|jpe?g|pdf|html?)$/i;
/** The longest licences of models are about 30 kB. */
const LICENCE_BYTES = 1024 * 1024;
const MOST_LICENCES = 16;

/**
 * The licence of a model folder: what its card names, then its licence files as texts that a Modelfile can hold.
 * @param card README.md, where it was read
 */
export async function readLicences(
  directory: string,
  { card, signal }: { readonly card?: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const files = names.filter((name) => LICENCE_NAME.test(name) && !OTHER_KIND.test(name)).sort();
  const texts: string[] = card === undefined ? [] : cardLicence(card);
  for (const name of files.slice(0, MOST_LICENCES)) {
    const text = await readModelText(directory, name, { signal, limit: LICENCE_BYTES }).catch(() => undefined);
    const held = text === undefined ? '' : plainText(text);
    if (held !== '' && !texts.includes(held)) {
      texts.push(held);
    }
  }
  return texts;
}

/** The licence that a GGUF names. */
export function ggufLicences({ metadata }: Pick<GgufFile, 'metadata'>): readonly string[] {
  const named = metadata.get('general.license')?.value;
  const held = typeof named === 'string' ? plainText(named) : '';
  return held === '' ? [] : [held];
}

/** `license` of a model card; `other` has its name and its address beside it. */
function cardLicence(card: string): string[] {
  const fields = readModelCard(card);
  const text = (key: string): string => {
    const value = fields.get(key);
    return (typeof value === 'string' ? value : (value?.join(', ') ?? '')).trim();
  };
  const named = text('license_name');
  const licence = text('license') === 'other' && named !== '' ? named : text('license');
  const link = text('license_link');
  return licence === '' ? [] : [plainText(link === '' ? licence : `${licence} (${link})`)];
}

/** What Ollama's parser would drop (form feeds, soft hyphens) is left out, and lines end as it expects. */
function plainText(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[^\n\t\P{C}]/gu, '')
    .trim();
}
