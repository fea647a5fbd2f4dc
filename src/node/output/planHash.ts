import { createHash } from 'node:crypto';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { ENGINE_VERSION } from '../../core/engineVersion';
import type { InputIdentity } from '../files/inputIdentity';

/** SHA-256 over all that decides the bytes of a result: the engine, the plan, its headers, and which files it reads. */
export function planHash(plan: BuildPlan, inputs: readonly InputIdentity[]): string {
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify({
      version: ENGINE_VERSION,
      kind: plan.kind,
      fileType: plan.fileType,
      inputs,
      outputs: plan.outputs.map(({ name, bytes }) => ({ name, bytes })),
      tensors: plan.tensors.length,
    }),
  );
  // One by one: a text of all of them would be larger than what they are read from.
  plan.tensors.forEach((tensor) => hash.update(JSON.stringify(tensor)));
  plan.outputs.forEach((output) => hash.update(output.header));
  if (plan.importance !== undefined) {
    hash.update(new Uint8Array(plan.importance.buffer, plan.importance.byteOffset, plan.importance.byteLength));
  }
  return hash.digest('hex');
}
