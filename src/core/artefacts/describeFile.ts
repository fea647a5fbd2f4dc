import { elementCount } from '../formats/tensorRef';
import { isJsonObject } from '../json';
import { LIMITS } from '../limits';
import type { Artefact, ArtefactKind } from './artefact';
import { readBuildRecord, type BuildRecord } from './buildRecordFacts';
import { describeGgufFile } from './describeGguf';
import { mostValues } from './describeModel';
import { asProblem, isoTime, type FolderFacts } from './folderFacts';
import type { Finding } from './finding';
import type { FileFacts } from './readFileFacts';

/** Describes one file by itself; undefined for one that is nothing of interest. */
export function describeFile(folder: FolderFacts, name: string, partOf: string | undefined): Finding | undefined {
  const facts = folder.facts.get(name);
  const entry = folder.files.get(name);
  const found = facts === undefined ? undefined : byFormat(facts, name);
  if (found === undefined || entry === undefined) {
    return undefined;
  }
  // A GGUF that lies in a folder is a result of its own, not a part of what else lies there.
  const isPart = partOf !== undefined && found.format !== 'gguf';
  const artefact: Artefact = {
    path: folder.pathOf(name),
    ...(isPart ? { partOf } : {}),
    bytes: entry.bytes,
    modified: isoTime(entry.modified),
    ...found,
  };
  if (facts?.format !== 'gguf' || (artefact.kind !== 'gguf-model' && artefact.kind !== 'gguf-adapter')) {
    return { artefact };
  }
  const ggufShapes = new Map(facts.description.tensors.map((tensor) => [tensor.name, tensor.shape]));
  return { artefact, record: recordOf(folder, name), ggufShapes };
}

/** The build record beside a result; undefined where there is none. */
export function recordOf(folder: FolderFacts, name: string): BuildRecord | undefined {
  const facts = folder.facts.get(`${name}.build.json`);
  return facts?.format === 'json' && isJsonObject(facts.value)
    ? readBuildRecord(facts.value, folder.pathOf)
    : undefined;
}

type Described = Omit<Artefact, 'path' | 'bytes' | 'modified' | 'partOf'>;

function byFormat(facts: FileFacts, name: string): Described | undefined {
  switch (facts.format) {
    case 'gguf':
      return describeGgufFile(facts.description);
    case 'safetensors':
      return describeSafetensorsFile(facts.description);
    case 'pickle':
      return { kind: 'pickle', problems: [asProblem(facts.error)] };
    case 'lfs-pointer':
      return { kind: 'lfs-pointer', content: expectedKind(name), problems: [asProblem(facts.error)] };
    case 'imatrix-legacy':
      return { kind: 'imatrix', problems: [] };
    case 'unreadable':
      return isWeights(name)
        ? {
            kind: isCut(facts) ? 'truncated' : 'unreadable',
            content: expectedKind(name),
            problems: [asProblem(facts.error)],
          }
        : undefined;
    case 'npz':
    case 'json':
    case 'shard-index':
    case 'text':
    case 'unknown':
      return undefined;
  }
}

function describeSafetensorsFile(description: Extract<FileFacts, { format: 'safetensors' }>['description']): Described {
  const tensors = [...description.tensors.values()];
  const cut = description.problems.some(({ code }) => code === 'safetensors/truncated');
  return {
    kind: cut ? 'truncated' : 'safetensors',
    ...(cut ? { content: 'safetensors' as const } : {}),
    format: 'safetensors',
    tensors: tensors.length,
    parameters: tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0),
    dtype: mostValues(tensors.map((tensor) => [tensor.dtype, elementCount(tensor.shape)])),
    problems: description.problems.map(asProblem),
  };
}

/** A header that goes on past the end of the file, or no content at all. What announces absurd lengths is damaged instead. */
function isCut({ error: { code, detail } }: Extract<FileFacts, { format: 'unreadable' }>): boolean {
  switch (code) {
    case 'gguf/truncated':
    case 'safetensors/truncated':
    case 'input/empty':
      return true;
    case 'safetensors/header-size':
      return isBetween(detail?.['length'], Number(detail?.['fileBytes']) - 8, LIMITS.safetensors.headerBytes);
    case 'gguf/length':
      return (
        detail?.['remaining'] !== undefined &&
        isBetween(detail['length'] ?? detail['elements'], Number(detail['remaining']) / 8, LIMITS.gguf.stringBytes)
      );
    case 'gguf/count':
      return isBetween(detail?.['count'], 0, LIMITS.gguf.keys);
    default:
      return false;
  }
}

/** Announced sizes stand in the detail as decimal text; undefined where the file ends before one. */
function isBetween(announced: unknown, least: number, most: number): boolean {
  return announced === undefined || (Number(announced) >= least && Number(announced) <= most);
}

function isWeights(name: string): boolean {
  return /\.(?:gguf|safetensors|bin|pt|pth|ckpt|pkl)$/i.test(name);
}

function expectedKind(name: string): ArtefactKind | undefined {
  if (/\.gguf$/i.test(name)) {
    return 'gguf-model';
  }
  return /\.safetensors$/i.test(name) ? 'safetensors' : /\.(?:bin|pt|pth|ckpt|pkl)$/i.test(name) ? 'pickle' : undefined;
}
