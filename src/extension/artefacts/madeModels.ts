import * as z from 'zod/mini';
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

/** Forgets models that are gone from Ollama. */
export function keepModels(services: Services, isThere: (name: string) => boolean): void {
  const all = madeModels(services);
  const kept = all.filter(({ name }) => isThere(name));
  if (kept.length !== all.length) {
    void services.context.workspaceState.update(KEY, kept);
  }
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
