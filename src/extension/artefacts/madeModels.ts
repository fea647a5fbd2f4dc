import * as z from 'zod/mini';
import { OllamaServer } from '../ollama/ollamaServer';
import type { Services } from '../services';
import type { MadeModel } from './artefactTree';

const KEY = 'madeModels';

const STORED = z.array(z.object({ name: z.string(), from: z.string() }));

/** Most models that are remembered. */
const MOST = 200;

/** The models in Ollama that jobs of this workspace made, newest first. */
export function madeModels({ context }: Services): readonly MadeModel[] {
  const parsed = STORED.safeParse(context.workspaceState.get(KEY));
  return parsed.success ? parsed.data : [];
}

const INSTALLED = z.object({ models: z.array(z.object({ name: z.string() })) });

/** Asks Ollama which of the noted models are still there, and forgets the others; where it does not answer, all are kept. True when some were forgotten. */
export async function forgetRemoved(services: Services): Promise<boolean> {
  const all = madeModels(services);
  if (all.length === 0 || !new OllamaServer(services).isReady) {
    return false;
  }
  const answer = INSTALLED.safeParse(await services.cli.json(['list']).catch(() => undefined));
  if (!answer.success) {
    return false;
  }
  const installed = new Set(answer.data.models.map(({ name }) => name));
  const kept = all.filter(({ name }) => installed.has(name) || installed.has(`${name}:latest`));
  await services.context.workspaceState.update(KEY, kept);
  return kept.length !== all.length;
}

/** Notes each model that a job makes, and then calls `listener`. Returns what ends that. */
export function onMadeModel(services: Services, listener: () => void): () => void {
  return services.jobs.onChange((job) => {
    const { model, from } = job?.spec ?? {};
    if (job?.state !== 'done' || model === undefined || from === undefined) {
      return;
    }
    const others = madeModels(services).filter(({ name }) => name !== model);
    void services.context.workspaceState.update(KEY, [{ name: model, from }, ...others].slice(0, MOST)).then(listener);
  });
}
