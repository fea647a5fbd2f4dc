import { existsSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { modelfileFor } from '../../core/modelfile/writeModelfile';
import { chooseTemplateFor } from '../../node/jinja/chooseTemplate';
import { ggufLicences, readLicences } from '../../node/inputs/readLicences';
import { readGgufParts } from '../../node/inputs/readGgufParts';
import { README_BYTES } from '../../node/inputs/loadHuggingFaceModel';
import { readModelText } from '../../node/inputs/readModelFile';
import { resolveBasePath } from '../../node/inputs/loadBasePath';
import { existsError } from '../../node/output/partialOutput';
import { replaceFile } from '../../node/files/textFile';
import type { Command, CommandResult } from '../command';
import { flag, required, text, usageError } from '../options';

/** Writes a Modelfile; no server is asked and no model is made. */
export const modelfile: Command = {
  name: 'modelfile',
  usage: '--base DIR|F.gguf [--adapter DIR] [--system TEXT] [--out Modelfile] [--force]',
  does: 'a Modelfile with template, stops and parameters for a model',
  options: {
    base: { type: 'string' },
    adapter: { type: 'string' },
    system: { type: 'string' },
    out: { type: 'string' },
    force: { type: 'boolean' },
  },
  async run(positionals, options, { bundleFolder, signal }): Promise<CommandResult> {
    if (positionals.length > 0) {
      throw usageError(
        `modelfile takes no ${positionals[0] ?? ''}: name the model with --base and the file with --out.`,
      );
    }
    const base = required(options, 'base', 'base');
    const adapter = text(options, 'adapter');
    const system = text(options, 'system');
    const out = text(options, 'out');
    if (out !== undefined && existsSync(out) && !flag(options, 'force')) {
      throw existsError(out);
    }
    const isGguf = base.toLowerCase().endsWith('.gguf');
    const path = isGguf ? base : (await resolveBasePath(base)).directory;
    const choice = await chooseTemplateFor(path, {
      bundleFolder,
      signal,
      ...(adapter === undefined ? {} : { adapter }),
    });
    const folder = out === undefined ? process.cwd() : dirname(resolve(out));
    const content = modelfileFor({
      from: [fromFolder(folder, base)],
      choice,
      licences: isGguf ? await licencesOfGguf(path) : await licencesOfFolder(path, signal),
      ...(adapter === undefined ? {} : { adapter: fromFolder(folder, adapter) }),
      ...(system === undefined ? {} : { system }),
    });
    if (out !== undefined) {
      await replaceFile(out, new TextEncoder().encode(content));
    }
    const json = { ok: true, ...(out === undefined ? {} : { output: out }), modelfile: content, choice };
    return { exitCode: 0, json, text: out === undefined ? content.trimEnd() : `Wrote ${out}` };
  },
};

async function licencesOfGguf(path: string): Promise<readonly string[]> {
  const [part] = await readGgufParts(path);
  return part === undefined ? [] : ggufLicences(part.file);
}

async function licencesOfFolder(directory: string, signal: AbortSignal): Promise<readonly string[]> {
  const card = await readModelText(directory, 'README.md', { signal, limit: README_BYTES, cut: true });
  return await readLicences(directory, { card, signal });
}

/** A path as a Modelfile in a folder names it: `./…` below it, else absolute. */
function fromFolder(folder: string, path: string): string {
  const way = relative(folder, resolve(path)).split(sep).join('/');
  return way === ''
    ? '.'
    : way.startsWith('../') || way === '..' || /^[A-Za-z]:/.test(way)
      ? resolve(path)
      : `./${way}`;
}
