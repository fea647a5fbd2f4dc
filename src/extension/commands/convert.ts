import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { CommandServices } from '../wizard/commandContext';
import { remember } from '../wizard/memory';
import { convertProposal } from '../wizard/proposals';
import { askBase, askOutput, askType, resultFolder, type Choices } from '../wizard/questions';
import { resultPath, stemOf } from '../wizard/resultNames';
import { askSteps } from '../wizard/steps';
import { readTarget, retyped, withoutAsked } from '../wizard/target';

/** *Convert to GGUF…*: a Hugging Face folder as llama.cpp's converter writes it. */
export async function convert({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const given = readTarget(args);
  const target = withoutAsked(given);
  const start: Choices = { base: target.base ?? target.paths[0], type: target.type, out: target.out };
  const chosen = await askSteps<Choices>(vscode.l10n.t('Convert to GGUF'), start, [
    askBase(services, vscode.l10n.t('Model folder to convert')),
    askType(services, 'convert', ['BF16', 'F16', 'F32', 'Q8_0']),
    askOutput(vscode.l10n.t('GGUF file to write'), ({ base, type }) =>
      resultPath(resultFolder(services, [base ?? '']), stemOf(base ?? ''), type),
    ),
  ]);
  if (chosen?.base === undefined || chosen.type === undefined || chosen.out === undefined) {
    return;
  }
  remember(services, 'convert', chosen);
  const { base, type } = chosen;
  const out = retyped(chosen.out, given.type, type);
  const proposal = convertProposal({ base, type, out }, services.configuration.get('engine.workers'));
  await plans.show({
    ...proposal,
    then: [
      vscode.l10n.t(
        'New Modelfile from Artefact makes {0} ready for Ollama; Quantise… makes it smaller.',
        basename(out),
      ),
    ],
    change: { command: 'modelfileStudio.convert', request: { base, type, out }, fields: ['base', 'type', 'out'] },
  });
}
