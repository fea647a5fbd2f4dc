import { dirname, join } from 'node:path';
import { PLAIN } from '../../core/engine/describePlan';
import { FILE_TYPES, isQuantised } from '../../core/engine/fileTypes';
import { escapeControls } from '../../core/escapeControls';
import { formatBytes } from '../../core/formatBytes';
import { ROUTES, type RouteName } from '../../core/routes/planRoutes';
import {
  createFromArtefacts as createFrom,
  prepareCreateFrom,
  type CreateFromOptions,
  type CreateFromRequest,
  type PreparedCreate,
} from '../../node/create/createFromArtefacts';
import { requireFolder } from '../../node/create/keptFiles';
import type { CommandContext, CommandResult, OptionValues } from '../command';
import { follow } from '../follow';
import { loadBaseArgument } from '../loadBaseArgument';
import { ollamaClient } from '../ollama';
import { adapterRequest, fileType, flag, list, required, text, usageError, workerCount } from '../options';
import { reportCreated } from '../reportCreated';
import { routesJson } from './routes';

/** `create NAME --base …` and `create-from-base`: a model from a base and adapters, with the options of ARTEFACT_OPTIONS. */
export async function createFromArtefacts(
  name: string,
  options: OptionValues,
  context: CommandContext,
): Promise<CommandResult> {
  const client = ollamaClient(options);
  const outModelfile = text(options, 'out-modelfile');
  // Everything that can be wrong with the options is told before a server is asked.
  const given = {
    name,
    adapters: list(options, 'adapter').map(adapterRequest),
    ...typeAndRoute(options),
    allowRequantize: flag(options, 'allow-requantize'),
    library: text(options, 'library'),
    system: text(options, 'system'),
    parameters: {
      ...number(options, 'temperature', (value) => value >= 0),
      ...number(options, 'num-ctx', (value) => Number.isInteger(value) && value > 0),
    },
    force: flag(options, 'force'),
    keepIn:
      outModelfile === undefined
        ? flag(options, 'keep')
          ? '.'
          : undefined
        : await requireFolder(dirname(outModelfile)),
    modelfilePath: outModelfile,
  };
  const base = await loadBaseArgument(required(options, 'base', 'models/Qwen3-0.6B'), {
    client,
    signal: context.signal,
    needsServer: true,
  });
  const request: CreateFromRequest = { ...given, ...base };
  const run: CreateFromOptions = {
    client,
    signal: context.signal,
    workers: workerCount(options),
    workerScript: join(context.bundleFolder, 'worker.js'),
    bundleFolder: context.bundleFolder,
  };
  const prepared = await prepareCreateFrom(request, run);
  if (flag(options, 'dry-run')) {
    const { facts, plan, route, choice } = prepared;
    return {
      exitCode: 0,
      json: {
        ...routesJson(facts, plan),
        name,
        route: route.route,
        type: route.type,
        template:
          choice === undefined
            ? null
            : { origin: choice.origin, exact: choice.exact, notes: choice.notes, stops: choice.stops },
        text: describe(prepared, { ...context, palette: PLAIN }),
      },
      text: describe(prepared, context),
    };
  }
  context.say(describe(prepared, context));
  return reportCreated(await follow(createFrom(prepared, run), context), context);
}

function typeAndRoute(options: OptionValues): Pick<CreateFromRequest, 'fileType' | 'route'> {
  const wanted = text(options, 'type');
  const type = wanted === undefined ? undefined : fileType(wanted);
  const route = text(options, 'route');
  if (route !== undefined && !ROUTES.some((known) => known === route)) {
    throw usageError(
      `--route ${route}: choose one of ${ROUTES.join(', ')}. The command routes says which of them work.`,
    );
  }
  if (
    type !== undefined &&
    ((route === 'fuse' && isQuantised(FILE_TYPES[type].base)) ||
      (route === 'fuse-quantise' && !isQuantised(FILE_TYPES[type].base)))
  ) {
    throw usageError(
      `--route ${route} and --type ${type} contradict each other: fuse makes F32, F16 or BF16, fuse-quantise the other types. Leave one of them out.`,
    );
  }
  return { fileType: type, route: route as RouteName | undefined };
}

/** A PARAMETER by its option: `num-ctx` is `num_ctx`. */
function number(
  options: OptionValues,
  name: string,
  accepts: (value: number) => boolean,
): Readonly<Record<string, number>> {
  const given = text(options, name);
  if (given === undefined) {
    return {};
  }
  const value = given.trim() === '' ? NaN : Number(given);
  if (!Number.isFinite(value) || !accepts(value)) {
    throw usageError(
      `--${name} ${escapeControls(given)}: give a ${name === 'num-ctx' ? 'positive whole number' : 'number, 0 or more'}.`,
    );
  }
  return { [name.replaceAll('-', '_')]: value };
}

function describe({ facts, plan, route, choice }: PreparedCreate, { palette }: CommandContext): string {
  const label = (text: string): string => palette.strong(text.padEnd(10));
  const costs = [route.type, ...(route.diskBytes === undefined ? [] : [formatBytes(route.diskBytes)])]
    .filter((part) => part !== undefined)
    .join(' · ');
  const origins = {
    library: `as ${choice?.model ?? 'the library'} has it`,
    base: `that of ${choice?.model ?? 'the base'}`,
    generated: "written from the model's own",
    none: 'none',
  };
  const template =
    choice === undefined
      ? "the installed model's"
      : `${origins[choice.origin]}${choice.template === undefined ? '' : choice.exact ? ', the same in every conversation compared' : ', with differences'} · ${choice.stops.length} ${choice.stops.length === 1 ? 'stop' : 'stops'}`;
  return [
    `${label('Base')}${escapeControls(facts.base.path)} · ${facts.base.label}`,
    ...facts.adapters.map(
      ({ path, method, weight }) =>
        `${label('Adapter')}${escapeControls(path)} · ${method}${weight === 1 ? '' : ` · weight ${weight}`}`,
    ),
    `${label('Route')}${route.route} · ${costs}${plan.recommended === route.route ? ` · ${escapeControls(plan.because)}` : ''}`,
    `${label('Template')}${escapeControls(template)}`,
    ...(choice?.notes ?? []).map((note) => `${palette.warning('!')} ${escapeControls(note)}`),
  ].join('\n');
}
