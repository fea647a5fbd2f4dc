import { throwIfAborted } from '../../core/errors';
import type { Instruction, ModelfileCommand, ParsedModelfile } from '../../core/modelfile/modelfileTypes';
import { withInherited } from '../../core/modelfile/inheritedCommands';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { ollamaProfile } from '../../core/ollama/ollamaProfile';
import { lookAtPaths, type NamedPath } from './createPath';
import { CreatePlanner, partKey } from './createPlanner';
import { routeOf } from './createRoute';
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
  const mayBePattern = ollamaProfile(options.ollamaVersion).does('fromGlobs');
  const found = new Map<Instruction, readonly NamedPath[]>();
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command !== undefined && ['model', 'adapter', 'draft'].includes(command.name)) {
      throwIfAborted(options.signal);
      found.set(instruction, await lookAtPaths(instruction, command, lines, { directory, mayBePattern }));
    }
  }
  const planner = new CreatePlanner([...found.values()].flat(), options, lines);
  const parts = await planner.parts();
  const commands: ModelfileCommand[] = [];
  for (const instruction of parsed.instructions) {
    const { command } = instruction;
    if (command === undefined) {
      continue;
    }
    const locals = found.get(instruction);
    if (locals === undefined) {
      commands.push(command);
    }
    for (const local of locals ?? []) {
      const key = partKey(local);
      if (parts.has(key)) {
        commands.push({ name: command.name, args: key });
      } else if (local.kind === 'absent') {
        commands.push(command);
      }
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
    route: routeOf(parts),
    warnings,
  };
}
