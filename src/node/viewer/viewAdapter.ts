import { basename } from 'node:path';
import { findBase } from '../inputs/findBase';
import { toStudioError } from '../../core/errors';
import type { ByteSource } from '../../core/bytes';
import { displayLine, displayText } from '../../core/viewer/displayText';
import type { AdapterCell, AnswerOf } from '../../core/viewer/viewerProtocol';
import type { ViewedFile } from '../../core/viewer/viewedFile';
import { openBase, type AdapterBase } from './adapterBase';
import { adapterDeltas, type ModuleDelta } from './adapterDeltas';
import { adapterFolderModules, ggufAdapterModules } from './adapterModules';
import type { ValueReader } from './tensorValues';

export interface ViewAdapterRequest {
  readonly path: string;
  readonly source: ByteSource;
  readonly view: ViewedFile;
  /** Chosen by the user; else it is looked for. */
  readonly base: string | undefined;
  readonly reader: ValueReader;
  readonly signal: AbortSignal | undefined;
}

/** The adapter by layer and module: how large each delta is, against the base where it is found. Throws `adapter/…`, `input/…`. */
export async function viewAdapter({
  path,
  source,
  view,
  base,
  reader,
  signal,
}: ViewAdapterRequest): Promise<AnswerOf<'adapter'>> {
  const contents =
    view.format === 'gguf' ? ggufAdapterModules(view, path, source) : await adapterFolderModules(path, source, signal);
  const notes = contents.notes.map(displayText);
  const basePath = base ?? (await findBase(contents.baseName, contents.directory));
  let opened: AdapterBase | undefined;
  if (basePath !== undefined) {
    try {
      opened = await openBase(basePath, signal);
    } catch (thrown) {
      const error = toStudioError(thrown);
      if (error.code === 'run/cancelled' || base !== undefined) {
        throw error;
      }
      notes.push(displayText(`The base ${basePath} cannot be read: ${error.message}`));
    }
  }
  try {
    const deltas = await adapterDeltas(contents.modules, (target) => opened?.find(target), reader, signal);
    const measured = deltas.filter(({ delta }) => delta !== undefined);
    if (measured.length > 0 && measured.every(({ delta }) => delta === 0)) {
      notes.push('The adapter changes nothing: all its deltas are zero (untrained, or the wrong checkpoint).');
    }
    if (opened !== undefined && measured.length > 0 && measured.every(({ ratio }) => ratio === undefined)) {
      notes.push('None of its modules was found in this base, or its weights are packed: sizes are shown without it.');
    }
    return {
      facts: contents.facts.map(({ label, value }) => ({ label, value: displayLine(value) })),
      cells: deltas.map(cellOf),
      notes,
      base: opened === undefined ? undefined : displayLine(basename(opened.path)),
      measured: measured.length,
      modules: deltas.length,
    };
  } finally {
    await opened?.close();
  }
}

function cellOf({ module, delta, ratio, problem }: ModuleDelta): AdapterCell {
  const { layer, name } = placeOf(module.target);
  return {
    layer,
    module: displayLine(name, 120),
    name: displayLine(module.target),
    rank: module.rank,
    scale: module.scale,
    delta,
    ratio,
    problem: problem === undefined ? undefined : displayText(problem),
  };
}

/** Layer (-1 outside of all) and module of a weight's name: `model.layers.3.self_attn.q_proj.weight`, `blk.3.attn_q.weight`. */
export function placeOf(target: string): { readonly layer: number; readonly name: string } {
  const name = target.replace(/\.weight$/, '');
  const found = /(?:^|\.)(?:layers|h|blocks|blk|layer)\.(\d{1,6})\.(.+)$/.exec(name);
  if (found === null) {
    return { layer: -1, name: name.split('.').at(-1) ?? name };
  }
  return { layer: Number(found[1]), name: found[2]!.replace(/^(?:self_attn|mlp|attn|attention)\./, '') };
}
