import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { StudioError } from '../../core/errors';
import { formatBytes } from '../../core/formatBytes';
import { escapeControls } from '../../core/escapeControls';
import { relativeTime } from '../relativeTime';
import { scannedFolders } from '../artefacts/scannedFolders';
import type { CommandServices } from '../wizard/commandContext';
import { pick } from '../wizard/steps';
import { readTarget } from '../wizard/target';

const ANSWER = z.object({
  leftovers: z.array(
    z.object({
      output: z.string(),
      partial: z.string(),
      bytes: z.number(),
      modified: z.string(),
      finishedUnits: z.number(),
      inUse: z.boolean(),
      removed: z.boolean(),
      error: z.optional(z.object({ code: z.string(), message: z.string() })),
    }),
  ),
});

type Leftover = z.infer<typeof ANSWER>['leftovers'][number];

/** *Clean Up*: lists what unfinished runs left, and deletes what the user picks; only what has our journal beside it is ever listed or deleted. */
export async function cleanUp({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  const { paths } = readTarget(args);
  const folders = paths.length > 0 ? paths : await scannedFolders(services.configuration);
  const leftovers =
    folders.length === 0
      ? []
      : await vscode.window.withProgress(
          { location: { viewId: 'modelfileStudio.artefacts' } },
          async () => ANSWER.parse(await services.cli.json(['clean', ...folders])).leftovers,
        );
  const idle = leftovers.filter(({ inUse }) => !inUse);
  if (idle.length === 0) {
    void vscode.window.showInformationMessage(
      leftovers.length === 0
        ? vscode.l10n.t('Nothing unfinished was left here.')
        : vscode.l10n.t('What is unfinished here is being written right now.'),
    );
    return;
  }
  const choices = idle.map((leftover) => ({
    value: leftover,
    label: escapeControls(leftover.partial),
    description: describe(leftover),
  }));
  const chosen = await pick(
    { title: vscode.l10n.t('Clean Up'), step: 1, total: 1 },
    {
      placeholder: vscode.l10n.t('Unfinished outputs to delete; the others can be resumed by running the same command'),
      choices,
      many: true,
      active: () => true,
    },
  );
  if (chosen !== undefined && chosen !== 'back' && (await confirm(chosen))) {
    await remove(services, chosen);
  }
}

function describe({ bytes, modified, finishedUnits }: Leftover): string {
  return `${formatBytes(bytes)} · ${relativeTime(modified)} · ${finishedUnits === 0 ? vscode.l10n.t('nothing done yet') : vscode.l10n.t('{0} units done', finishedUnits)}`;
}

async function confirm(chosen: readonly Leftover[]): Promise<boolean> {
  const remove = vscode.l10n.t('Delete');
  const bytes = formatBytes(chosen.reduce((sum, leftover) => sum + leftover.bytes, 0));
  const message =
    chosen.length === 1
      ? vscode.l10n.t('Delete {0} ({1})?', escapeControls(chosen[0]!.partial), bytes)
      : vscode.l10n.t('Delete {0} unfinished outputs ({1})?', chosen.length, bytes);
  const detail = `${chosen
    .slice(0, 10)
    .map(({ partial }) => escapeControls(partial))
    .join(
      '\n',
    )}${chosen.length > 10 ? '\n…' : ''}\n\n${vscode.l10n.t('They cannot be resumed then. This cannot be undone.')}`;
  return (await vscode.window.showWarningMessage(message, { modal: true, detail }, remove)) === remove;
}

async function remove({ cli }: CommandServices['services'], chosen: readonly Leftover[]): Promise<void> {
  const { leftovers } = ANSWER.parse(await cli.json(['clean', ...chosen.map(({ output }) => output), '--remove']));
  const failed = leftovers.find(({ error }) => error !== undefined)?.error;
  if (failed !== undefined) {
    throw new StudioError('output/busy', failed.message);
  }
  const freed = formatBytes(leftovers.filter(({ removed }) => removed).reduce((sum, { bytes }) => sum + bytes, 0));
  void vscode.window.showInformationMessage(vscode.l10n.t('{0} of space are free again.', freed));
}
