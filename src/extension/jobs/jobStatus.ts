import * as vscode from 'vscode';
import type { Services } from '../services';
import { percent } from './jobText';

/** One item in the status bar while a job runs; a click leads to the view. */
export function registerJobStatus({ context, jobs }: Services): void {
  const item = vscode.window.createStatusBarItem('modelfileStudio.jobs', vscode.StatusBarAlignment.Left);
  item.name = 'Modelfile Studio';
  item.command = 'modelfileStudio.jobs.focus';
  const stop = jobs.onChange(() => {
    const running = jobs.jobs.find(({ state }) => state === 'running');
    if (running === undefined) {
      item.hide();
      return;
    }
    const share = percent(running);
    const text = share === undefined ? running.spec.title : `${running.spec.title} ${share} %`;
    item.text = `$(sync~spin) ${text.replaceAll('$(', '$ (')}`;
    item.tooltip = vscode.l10n.t('Show Jobs');
    item.accessibilityInformation = { label: text };
    item.show();
  });
  context.subscriptions.push(item, { dispose: stop });
}
