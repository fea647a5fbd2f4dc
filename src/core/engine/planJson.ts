import type { GgufValue } from '../formats/gguf/ggufTypes';
import type { BuildPlan } from './buildPlan';
import { estimatedSeconds, peakMemory } from './finishPlan';

/** Arrays of more elements are given by type and count. */
const MAX_ELEMENTS = 16;

/** The whole plan as JSON: every tensor, every key, every note. */
export function planJson(plan: BuildPlan, workers: number): Record<string, unknown> {
  return {
    ok: true,
    kind: plan.kind,
    type: plan.fileType,
    output: plan.output,
    base: plan.summary.base,
    adapters: plan.summary.adapters,
    route: plan.summary.route,
    bytesRead: plan.bytesRead,
    bytesWritten: plan.bytesWritten,
    peakMemoryBytes: peakMemory(plan, workers),
    seconds: estimatedSeconds(plan, workers),
    bitsPerWeight: plan.summary.bitsPerWeight,
    tensorTypes: plan.summary.tensorTypes,
    checks: plan.checks,
    warnings: plan.warnings,
    inputs: plan.inputs,
    files: plan.outputs.map(({ name, bytes, header }) => ({ name, bytes, dataOffset: header.length })),
    metadata: plan.metadata.map(([key, value]) => ({ key, ...metadataJson(value) })),
    tensors: plan.tensors.map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      type: tensor.type,
      ...(tensor.requestedType === undefined ? {} : { wanted: tensor.requestedType }),
      file: tensor.output,
      offset: tensor.offset,
      bytes: tensor.bytes,
      slices: tensor.slices.map((slice) => ({
        rows: slice.rows,
        source:
          slice.source.kind === 'generated' ? { kind: 'generated', values: slice.source.values.length } : slice.source,
        transform: slice.transform,
        contributions: slice.contributions,
      })),
    })),
  };
}

function metadataJson(value: GgufValue): Record<string, unknown> {
  if (value.type === 'array') {
    const elements = [...value.value];
    return elements.length > MAX_ELEMENTS
      ? { type: `array<${value.elements}>`, count: elements.length }
      : {
          type: `array<${value.elements}>`,
          value: elements.map((element) => (typeof element === 'bigint' ? String(element) : element)),
        };
  }
  return { type: value.type, value: typeof value.value === 'bigint' ? String(value.value) : value.value };
}
