import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { ENGINE_VERSION } from '../../core/engineVersion';
import { OLLAMA_PREFIX } from '../inputs/installedModel';
import type { RunResult } from './runPlan';

/** The first line of every record, by which it is recognised. */
export const BUILD_RECORD_FORMAT = 'modelfile-studio build 1';

/** The bytes that every record begins with. */
export const RECORD_HEAD = `{\n "format": "${BUILD_RECORD_FORMAT}"`;

/**
 * Where a result came from, as JSON text: inputs with their identities, choices, and a hash of every tensor. Paths are relative to the
 * folder of the record, with forward slashes, so that it holds wherever it is read from. The text comes in pieces, a tensor each.
 */
export function* buildRecord(plan: BuildPlan, result: RunResult): Generator<string, void> {
  const fromRecord = (path: string): string => relativePath(path, dirname(resolve(plan.output)));
  const { base } = plan.summary;
  const record = {
    format: BUILD_RECORD_FORMAT,
    version: ENGINE_VERSION,
    pathsFrom: 'record',
    output: { name: basename(plan.output), bytes: result.bytes, type: plan.fileType, kind: plan.kind },
    base: { ...base, path: fromRecord(base.path) },
    adapters: plan.summary.adapters.map((adapter) => ({
      ...adapter,
      path: fromRecord(adapter.path),
      weightsFile: fromRecord(adapter.weightsFile),
    })),
    inputs: result.inputs.map((input) => ({ ...input, path: fromRecord(input.path) })),
    planHash: result.planHash,
    warnings: plan.warnings,
  };
  yield JSON.stringify(record, null, 1).slice(0, -'\n}'.length);
  yield ',\n "tensors": [';
  for (const [index, { name, type, bytes }] of plan.tensors.entries()) {
    const tensor = JSON.stringify({ name, type, bytes, sha256: result.hashes[index] ?? '' }, null, 1);
    yield `${index === 0 ? '' : ','}\n${tensor.replaceAll(/^/gm, '  ')}`;
  }
  yield plan.tensors.length === 0 ? ']\n}\n' : '\n ]\n}\n';
}

/** The name of an installed model stays as it is, and so does a path on another drive. */
function relativePath(path: string, folder: string): string {
  if (path.startsWith(OLLAMA_PREFIX)) {
    return path;
  }
  const found = relative(folder, resolve(path));
  return (isAbsolute(found) ? found : found === '' ? '.' : found).split(sep).join('/');
}
