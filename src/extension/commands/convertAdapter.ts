import { join } from 'node:path';
import * as vscode from 'vscode';
import type { CommandServices } from '../wizard/commandContext';
import { remember } from '../wizard/memory';
import { convertAdapterProposal } from '../wizard/proposals';
import { askAdapters, askBase, askOutput, askType, resultFolder, type Choices } from '../wizard/questions';
import { stemOf } from '../wizard/resultNames';
import { askSteps } from '../wizard/steps';
import { readTarget, retyped, withoutAsked } from '../wizard/target';

/** *Convert Adapter to GGUF…*: a LoRA that Ollama's ADAPTER and llama.cpp apply with the right scale. */
export async function convertAdapter({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const given = readTarget(args);
  const target = withoutAsked(given);
  const start: Choices = {
    adapters: target.adapters ?? target.paths.slice(0, 1),
    base: target.base,
    type: target.type,
    out: target.out,
  };
  const chosen = await askSteps<Choices>(vscode.l10n.t('Convert Adapter to GGUF'), start, [
    askAdapters(services, false),
    askBase(services, vscode.l10n.t('Base of the adapter')),
    askType(services, 'convertAdapter', ['F16', 'F32', 'BF16', 'Q8_0']),
    askOutput(vscode.l10n.t('GGUF adapter to write'), ({ adapters }) =>
      join(resultFolder(services, adapters ?? []), `${stemOf(adapters?.[0] ?? '')}-adapter.gguf`),
    ),
  ]);
  const adapter = chosen?.adapters?.[0];
  if (adapter === undefined || chosen?.base === undefined || chosen.type === undefined || chosen.out === undefined) {
    return;
  }
  remember(services, 'convertAdapter', chosen);
  const { base, type } = chosen;
  const out = retyped(chosen.out, given.type, type);
  const proposal = convertAdapterProposal({ base, adapter, type, out });
  await plans.show({
    ...proposal,
    change: {
      command: 'modelfileStudio.convertAdapter',
      request: { base, adapters: [adapter], type, out },
      fields: ['base', 'adapters', 'type', 'out'],
    },
  });
}
