import { readModelCard } from '../formats/huggingface/modelCard';
import { textOf, type FolderFacts } from './folderFacts';

/** `base_model` of the model card, the first where it lists several. */
export function readModelCardBase(folder: FolderFacts): string | undefined {
  const text = textOf(folder, 'README.md');
  const value = text === undefined ? undefined : readModelCard(text).get('base_model');
  const name = typeof value === 'string' ? value : value?.[0];
  return name === '' ? undefined : name;
}
