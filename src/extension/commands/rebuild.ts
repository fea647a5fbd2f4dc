import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import { basename } from 'node:path';
import type { CommandServices } from '../wizard/commandContext';
import { rememberedBuilds } from '../wizard/memory';
import { pickArtefact } from '../wizard/pickArtefact';
import { rebuildProposal } from '../wizard/proposals';
import { artefactAt } from '../wizard/questions';
import { readTarget } from '../wizard/target';

/** *Rebuild with Last Choices*: what was built once, again, over the old result; by the job that made it, else by its record. */
export async function rebuild({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const at = { title: vscode.l10n.t('Rebuild with Last Choices'), step: 1, total: 1 };
  const builds = rememberedBuilds(services);
  const { paths } = readTarget(args);
  const chosen =
    paths.length > 0
      ? paths
      : await pickArtefact(services, at, {
          placeholder: vscode.l10n.t('What to build again'),
          filter: (artefact) =>
            artefact.builtFrom !== undefined || builds.some(({ output }) => output === artefact.path),
          browse: 'gguf',
        });
  const output = chosen === 'back' ? undefined : chosen?.[0];
  if (output === undefined) {
    return;
  }
  const spec = builds.find((build) => build.output === output);
  if (spec !== undefined) {
    // The Modelfile beside it may have been edited since: it stays as it is.
    await plans.show({
      job: { ...spec, title: `Rebuild ${basename(output)}`, next: [], modelfile: undefined },
      planArgs: [...spec.args, '--dry-run'],
      files: [['result', output]],
      then: [],
      canReplace: true,
    });
    return;
  }
  const { builtFrom } = await artefactAt(services, output);
  if (builtFrom?.type === undefined) {
    throw new StudioError(
      'input/missing',
      vscode.l10n.t(
        '{0} has no record of how it was built beside it. Build it anew with Build Ollama Model… or Convert to GGUF….',
        basename(output),
      ),
      { path: output },
    );
  }
  await plans.show(
    rebuildProposal(output, { ...builtFrom, type: builtFrom.type }, services.configuration.get('engine.workers')),
  );
}
