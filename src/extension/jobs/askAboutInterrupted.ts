import * as vscode from 'vscode';
import type { Services } from '../services';

/** Asks once what becomes of the jobs that the end of the window before cut short. Left alone they stay in the view. */
export async function askAboutInterrupted({ jobs, trust }: Services): Promise<void> {
  const ids = jobs.interrupted;
  const [first] = ids.flatMap((id) => jobs.find(id) ?? []);
  if (first === undefined || !trust.isTrusted) {
    return;
  }
  const resume = vscode.l10n.t('Resume');
  const remove = vscode.l10n.t('Remove');
  const chosen = await vscode.window.showInformationMessage(
    ids.length === 1
      ? vscode.l10n.t('{0} was interrupted when the window was closed or reloaded.', first.spec.title)
      : vscode.l10n.t('{0} jobs were interrupted when the window was closed or reloaded.', ids.length),
    resume,
    remove,
  );
  // The oldest first, as they stood in the queue; what was resumed in the view by now is no longer interrupted.
  const left = ids.filter((id) => jobs.find(id)?.state === 'interrupted').reverse();
  if (chosen === resume) {
    left.forEach((id) => jobs.again(id));
  } else if (chosen === remove) {
    left.forEach((id) => jobs.remove(id));
  }
}
