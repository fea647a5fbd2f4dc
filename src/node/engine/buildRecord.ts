import { basename } from 'node:path';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { ENGINE_VERSION } from '../../core/engineVersion';
import type { RunResult } from './runPlan';

/** The first line of every record, by which it is recognised. */
export const BUILD_RECORD_FORMAT = 'modelfile-studio build 1';

/** The bytes that every record begins with. */
export const RECORD_HEAD = `{\n "format": "${BUILD_RECORD_FORMAT}"`;

/** Where a result came from, as JSON text: inputs with their identities, choices, and a hash of every tensor. */
export function buildRecord(plan: BuildPlan, result: RunResult): string {
  const record = {
    format: BUILD_RECORD_FORMAT,
    version: ENGINE_VERSION,
    output: { name: basename(plan.output), bytes: result.bytes, type: plan.fileType, kind: plan.kind },
    base: plan.summary.base,
    adapters: plan.summary.adapters,
    inputs: result.inputs,
    planHash: result.planHash,
    warnings: plan.warnings,
    tensors: plan.tensors.map((tensor, index) => ({
      name: tensor.name,
      type: tensor.type,
      bytes: tensor.bytes,
      sha256: result.hashes[index] ?? '',
    })),
  };
  return `${JSON.stringify(record, null, 1)}\n`;
}
