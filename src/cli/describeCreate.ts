import type { Palette } from '../core/engine/describePlan';
import { estimatedSeconds, peakMemory } from '../core/engine/finishPlan';
import { escapeControls } from '../core/escapeControls';
import { formatBytes, formatSeconds } from '../core/formatBytes';
import type { CreatePart } from '../node/create/createPlanTypes';
import type { PreparedModel } from '../node/create/createModel';

/** What `create -f` is about to do: for people, and for scripts. */
export interface CreateDescription {
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** The plan of a Modelfile: what each of its files becomes, what that costs, and which server it was judged for. */
export function describeCreate(prepared: PreparedModel, palette: Palette, workers: number): CreateDescription {
  const { names, plan, server, exists, builds, request } = prepared;
  const parts = [...plan.parts].map(([key, part]) => ({ part, build: builds.get(key)?.plan }));
  const warnings = [
    ...plan.warnings,
    ...parts.flatMap(({ build }) => (build?.warnings ?? []).map(({ code, message }) => ({ code, message }))),
  ];
  const bytes = parts.reduce((sum, { build }) => sum + (build?.bytesWritten ?? 0), 0);
  const label = (text: string): string => palette.strong(text.padEnd(10));
  const lines = [
    `${label('Modelfile')}${escapeControls(request.path)} · for Ollama ${escapeControls(server.version)}`,
    ...(plan.pull === undefined
      ? []
      : [
          `${label('Pull')}${escapeControls(plan.pull.name)} · the server does not have it; what is made of it is planned then`,
        ]),
    ...(plan.from === undefined || plan.pull !== undefined
      ? []
      : [
          `${label('Base')}${escapeControls(plan.from.name)} · taken from the server as it is${plan.serverType === undefined ? '' : `, which quantises it to ${plan.serverType}`}`,
        ]),
    ...parts.map(({ part, build }) => {
      const costs =
        build === undefined
          ? ''
          : ` · ${formatBytes(build.bytesWritten)} · memory ${formatBytes(peakMemory(build, workers))} · about ${formatSeconds(Math.max(1, estimatedSeconds(build, workers)))}`;
      return `${label(part.kind === 'build' ? 'Build' : part.kind === 'convert-adapter' ? 'Convert' : 'Send')}line ${part.line}: ${escapeControls(whatBecomes(part))}${costs}`;
    }),
    `${label('Result')}${escapeControls(names.name)} · ${plan.route}${exists ? ` · the model of that name becomes ${escapeControls(names.previous)}` : ''}`,
    ...warnings.map(({ message }) => `${palette.warning('!')} ${escapeControls(message)}`),
  ];
  return {
    text: lines.join('\n'),
    json: {
      ok: true,
      name: names.name,
      route: plan.route,
      ollamaVersion: server.version,
      ...(plan.pull === undefined ? {} : { pull: plan.pull.name }),
      ...(plan.from === undefined ? {} : { from: plan.from.name }),
      ...(exists ? { previous: names.previous } : {}),
      parts: parts.map(({ part, build }) => ({
        line: part.line,
        role: part.role,
        does: part.kind,
        path: part.path,
        ...(part.kind === 'build' ? { type: part.fileType, adapters: adaptersOf(part) } : {}),
        ...(build === undefined
          ? {}
          : {
              bytes: build.bytesWritten,
              memoryBytes: peakMemory(build, workers),
              seconds: estimatedSeconds(build, workers),
            }),
      })),
      bytes,
      warnings,
    },
  };
}

function adaptersOf(part: Extract<CreatePart, { kind: 'build' }>): string[] {
  return [...(part.installed?.adapters ?? []), ...part.adapters.map(({ path }) => path)];
}

function whatBecomes(part: CreatePart): string {
  switch (part.kind) {
    case 'build': {
      const adapters = adaptersOf(part);
      const fused = adapters.length === 0 ? '' : ` with ${adapters.join(' and ')} fused into it`;
      return `${part.path}${fused} becomes a GGUF here, ${part.fileType}`;
    }
    case 'convert-adapter':
      return `${part.path} becomes a GGUF adapter, which the server adds to the base at every token`;
    case 'folder':
      return `the files of ${part.path}, as they are`;
    case 'split':
      return `${part.paths.length} parts of ${part.path}`;
    case 'file':
      return part.path;
  }
}
