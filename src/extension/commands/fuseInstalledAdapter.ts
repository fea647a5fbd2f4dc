import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { StudioError } from '../../core/errors';
import { hasAdapter } from '../ollama/adapterLayers';
import { OllamaServer } from '../ollama/ollamaServer';
import { askModelName, modelArguments, pickModel } from '../ollama/pickModel';
import type { CommandServices } from '../wizard/commandContext';
import { fuseInstalledProposal } from '../wizard/proposals';
import { askType, type Choices } from '../wizard/questions';
import { askSteps } from '../wizard/steps';

const NAME = z.string().check(z.minLength(1), z.maxLength(300));
/** What a plan's *Change Type* hands on. */
const CHANGE = z.object({ model: NAME, as: NAME });

/** *Fuse Installed Adapter…*: an installed model that is a base with an adapter on top becomes one model under a new name. */
export async function fuseInstalledAdapter(
  { services, plans }: CommandServices,
  args: readonly unknown[],
): Promise<void> {
  const title = vscode.l10n.t('Fuse Installed Adapter');
  const workers = services.configuration.get('engine.workers');
  const change = CHANGE.safeParse(args[0]);
  if (change.success) {
    const chosen = await askSteps<Choices>(title, {}, [askType(services, 'build')]);
    if (chosen?.type !== undefined) {
      const { model, as } = change.data;
      await plans.show(fuseInstalledProposal({ model, as, type: chosen.type }, workers));
    }
    return;
  }
  const server = new OllamaServer(services);
  const model =
    modelArguments(args)[0] ??
    (await pickModel(server, {
      title,
      none: vscode.l10n.t('This Ollama has no model. Pull one, or build one of your own.'),
    }));
  if (!(await hasAdapter(await server.client(), model))) {
    throw new StudioError(
      'usage/arguments',
      vscode.l10n.t('{0} has no adapter on top of its weights: there is nothing to fuse.', model),
    );
  }
  const [stem = model, tag] = model.split(/:(?=[^/]*$)/);
  const as = await askModelName({
    title,
    prompt: vscode.l10n.t('Name of the fused model; {0} stays as it is', model),
    value: `${stem}-fused${tag === undefined || tag === 'latest' ? '' : `:${tag}`}`,
  });
  await plans.show(fuseInstalledProposal({ model, as }, workers));
}
