import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StudioError } from '../../core/errors';

/**
 * A folder is replaced as a whole, so the wish to replace it alone must not cost anything that is no model: it has to be empty, or to
 * hold a config.json, files of weights and no folders but that of additional chat templates.
 * @throws StudioError output/exists
 */
export async function requireReplaceable(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const isModel =
    entries.some(({ name }) => name === 'config.json') && entries.some(({ name }) => name.endsWith('.safetensors'));
  const folders: string[] = [];
  for (const entry of entries.filter((one) => one.isDirectory())) {
    if (!(await isTemplateFolder(join(folder, entry.name), entry.name))) {
      folders.push(entry.name);
    }
  }
  if (entries.length === 0 || (isModel && folders.length === 0)) {
    return;
  }
  const what =
    folders.length > 0
      ? `holds folders (${folders.slice(0, 3).join(', ')}${folders.length > 3 ? ', …' : ''})`
      : 'is not the folder of a model';
  throw new StudioError(
    'output/exists',
    `${folder} ${what}, and a folder is replaced with all that is in it. It was not touched: choose another name, or remove it yourself.`,
    { path: folder },
  );
}

/** `additional_chat_templates` as transformers has it: templates and nothing else. */
async function isTemplateFolder(path: string, name: string): Promise<boolean> {
  const inner = await readdir(path, { withFileTypes: true });
  return (
    name === 'additional_chat_templates' && inner.every((entry) => entry.isFile() && entry.name.endsWith('.jinja'))
  );
}
