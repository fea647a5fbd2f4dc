import { access, constants, lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { writeError } from '../files/systemError';
import { occupiedBytes, requireSpace } from '../files/freeSpace';
import { partialPath } from '../output/partialOutput';
import { requireReplaceable } from '../output/requireReplaceable';

/**
 * Refuses while planning what the run would refuse: a folder that cannot be written, one in the way that holds more than a
 * model, a disk that is too small. What merely exists is no refusal: the run can be told to replace it.
 * @throws StudioError output/exists, output/unwritable, disk/full
 */
export async function requireRunnable(plan: BuildPlan): Promise<void> {
  const { output } = plan;
  const folder = dirname(output);
  await access(folder, constants.W_OK | constants.X_OK).catch((thrown: unknown) => {
    throw writeError(thrown, output);
  });
  if (plan.kind === 'safetensors' && (await lstat(output).catch(() => undefined)) !== undefined) {
    await requireReplaceable(output);
  }
  const bytes = plan.outputs.reduce((sum, one) => sum + one.bytes, 0);
  await requireSpace(output, Math.max(0, bytes - (await occupiedBytes(partialPath(output)))));
}
