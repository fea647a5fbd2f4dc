import { scanText } from '../../core/artefacts/scanText';
import { escapeControls } from '../../core/escapeControls';
import { scanArtefacts } from '../../node/artefacts/scanArtefacts';
import type { Command } from '../command';
import { usageError } from '../options';

export const scan: Command = {
  name: 'scan',
  usage: 'DIR…',
  does: 'find adapters, checkpoints, models and GGUFs, and what belongs together',
  options: {},
  async run(positionals, _options, context) {
    if (positionals.length === 0) {
      throw usageError('scan needs a folder. For example: scan .');
    }
    const found = scanArtefacts(positionals, { signal: context.signal });
    let step = await found.next();
    while (step.done !== true) {
      context.status?.(
        `Scanning ${step.value.files} files in ${step.value.folders} folders: ${escapeControls(step.value.folder)}`,
      );
      step = await found.next();
    }
    context.status?.('');
    const artefacts = step.value;
    const unread = artefacts.some((artefact) => artefact.kind === 'unreadable' && positionals.includes(artefact.path));
    return { exitCode: unread ? 1 : 0, json: { artefacts }, text: scanText(artefacts, positionals, context.palette) };
  },
};
