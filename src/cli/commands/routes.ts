import { describeRoutes } from '../../core/routes/describeRoutes';
import { planRoutes, type RoutePlan } from '../../core/routes/planRoutes';
import type { RouteFacts } from '../../core/routes/routeFacts';
import { gatherRouteFacts } from '../../node/create/routeFacts';
import type { Command } from '../command';
import { loadBaseArgument } from '../loadBaseArgument';
import { ollamaClient, OLLAMA_OPTIONS } from '../ollama';
import { adapterRequest, fileType, list, required, text, usageError, workerCount } from '../options';

export const routes: Command = {
  name: 'routes',
  usage: '--base DIR|BASE.gguf|NAME [--adapter DIR[=W]]… [--type T] [--host ADDRESS]',
  does: 'the ways from an adapter to a model in Ollama: which work, what each costs, which to take',
  options: {
    base: { type: 'string' },
    adapter: { type: 'string', multiple: true },
    type: { type: 'string' },
    workers: { type: 'string' },
    ...OLLAMA_OPTIONS,
  },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(
        `routes takes no ${positionals[0] ?? ''}: name the model with --base and the adapter with --adapter.`,
      );
    }
    const wanted = text(options, 'type');
    const client = ollamaClient(options);
    const { base, installed, server } = await loadBaseArgument(required(options, 'base', 'models/Qwen3-0.6B'), {
      client,
      signal: context.signal,
      needsServer: false,
    });
    const { facts } = await gatherRouteFacts({
      base,
      installed,
      ollamaVersion: server?.version,
      adapters: list(options, 'adapter').map(adapterRequest),
      wantedType: wanted === undefined ? undefined : fileType(wanted),
      workers: workerCount(options),
      signal: context.signal,
    });
    const plan = planRoutes(facts);
    return {
      exitCode: plan.recommended === undefined ? 1 : 0,
      json: routesJson(facts, plan),
      text: describeRoutes(facts, plan, context.palette),
    };
  },
};

/** The answer for scripts. */
export function routesJson(facts: RouteFacts, plan: RoutePlan): Record<string, unknown> {
  const { base, adapters } = facts;
  return {
    ok: plan.recommended !== undefined,
    base: {
      path: base.path,
      kind: base.kind,
      architecture: base.architecture,
      label: base.label,
      parameters: base.parameters,
    },
    adapters: adapters.map(({ path, format, method, weight }) => ({ path, format, method, weight })),
    ollamaVersion: plan.ollamaVersion ?? null,
    recommended: plan.recommended ?? null,
    type: plan.type,
    because: plan.because,
    routes: plan.routes,
  };
}
