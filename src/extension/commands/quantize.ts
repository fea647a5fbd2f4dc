import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { artefactTags } from '../artefacts/artefactTags';
import type { CommandServices } from '../wizard/commandContext';
import { remember } from '../wizard/memory';
import { pickArtefact } from '../wizard/pickArtefact';
import { quantizeProposal } from '../wizard/proposals';
import { artefactAt, askOutput, askType, resultFolder, type Choices } from '../wizard/questions';
import { resultPath, stemOf } from '../wizard/resultNames';
import { askSteps, type Step } from '../wizard/steps';
import { readTarget, retyped, withoutAsked } from '../wizard/target';

/** Types that hold all that the weights had. */
const WHOLE = ['F32', 'F16', 'BF16'];

/** *Quantise…*: another type for a GGUF or a model folder. */
export async function quantize({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const given = readTarget(args);
  const target = withoutAsked(given);
  const start: Choices = { base: target.paths[0] ?? target.base, type: target.type, out: target.out };
  const askInput: Step<Choices> = {
    isNeeded: ({ base }) => base === undefined,
    ask: async (_choices, at) => {
      const chosen = await pickArtefact(services, at, {
        placeholder: vscode.l10n.t('GGUF or model folder to quantise'),
        filter: (artefact) => artefactTags(artefact).includes('quantisable'),
        browse: 'gguf',
      });
      return chosen === undefined || chosen === 'back' ? chosen : { base: chosen[0] };
    },
  };
  const chosen = await askSteps<Choices>(vscode.l10n.t('Quantise'), start, [
    askInput,
    askType(services, 'quantize'),
    askOutput(vscode.l10n.t('GGUF file to write'), ({ base, type }) =>
      resultPath(resultFolder(services, [base ?? '']), stemOf(base ?? ''), type),
    ),
  ]);
  if (chosen?.base === undefined || chosen.type === undefined || chosen.out === undefined) {
    return;
  }
  remember(services, 'quantize', chosen);
  const { base: input, type } = chosen;
  const out = retyped(chosen.out, given.type, type);
  const requantise = await agreeToRequantise(await artefactAt(services, input));
  if (requantise === undefined) {
    return;
  }
  const proposal = quantizeProposal({ input, type, out, requantise }, services.configuration.get('engine.workers'));
  await plans.show({
    ...proposal,
    change: {
      command: 'modelfileStudio.quantize',
      request: { base: input, type, out },
      fields: ['base', 'type', 'out'],
    },
  });
}

/** Asks before a model that has lost bits loses more; undefined when the user would rather not. */
async function agreeToRequantise({ kind, quantisation }: Artefact): Promise<boolean | undefined> {
  const name = quantisation?.name;
  if (kind !== 'gguf-model' || name === undefined || WHOLE.includes(name)) {
    return false;
  }
  const go = vscode.l10n.t('Quantise All the Same');
  const detail = vscode.l10n.t(
    'Every step loses some quality. A result made from the 16-bit model is better and takes no longer.',
  );
  return (await vscode.window.showWarningMessage(
    vscode.l10n.t('This GGUF is quantised already ({0}).', name),
    { modal: true, detail },
    go,
  )) === go
    ? true
    : undefined;
}
