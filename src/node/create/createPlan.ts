import { throwIfAborted } from '../../core/errors';
import type { Instruction, ModelfileCommand, ParsedModelfile } from '../../core/modelfile/modelfileTypes';
import { withInherited } from '../../core/modelfile/inheritedCommands';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { lookAtPath, type NamedPath } from './createPath';
import { CreatePlanner, partKey } from './createPlanner';
import type { CreatePlan, PlanCreateOptions } from './createPlanTypes';

/**
 * Decides what happens to every file that a Modelfile names; nothing is written.
 * @param directory of the Modelfile, which paths are relative to
 * @throws StudioError with the line: input/…, model/…, ollama/…
 */
export async function planCreate(
  parsed: ParsedModelfile,
  lines: ModelfileLines,
  directory: string,
  options: PlanCreateOptions,
): Promise<CreatePlan> {
  const found = new Map<Instruction, NamedPath>();
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command !== undefined && ['model', 'adapter', 'draft'].includes(command.name)) {
      throwIfAborted(options.signal);
      found.set(instruction, await lookAtPath(instruction, command, lines, directory));
    }
  }
  const planner = new CreatePlanner([...found.values()], options, lines);
  const parts = await planner.parts();
  const commands: ModelfileCommand[] = [];
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command === undefined) {
      continue;
    }
    const local = found.get(instruction);
    const key = local === undefined ? undefined : partKey(local);
    if (key !== undefined && parts.has(key)) {
      commands.push({ name: command.name, args: key });
    } else if (local === undefined || local.kind === 'absent') {
      commands.push(command);
    }
  }
  for (const key of planner.others.keys()) {
    commands.push({ name: 'model', args: key });
  }
  const { from, pull, serverType, inherited, warnings } = planner;
  return {
    commands: withInherited(commands, inherited),
    parts,
    from,
    pull,
    serverType,
    route: planner.route(parts),
    warnings,
  };
}
