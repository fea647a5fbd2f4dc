import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import type { JobSpec } from '../jobs/job';
import { taskDefinition } from './taskArguments';

/** Puts a job as a task into `.vscode/tasks.json` of the folder that it works in, beside those that are there, and shows it. */
export async function saveTask(job: JobSpec): Promise<void> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file');
  const paths = [job.output, job.from, job.cwd, ...job.args].filter((path) => path !== undefined);
  const folder = folders.find(({ uri }) => paths.some((path) => path.startsWith(uri.fsPath))) ?? folders[0];
  if (folder === undefined) {
    throw new StudioError('usage/arguments', vscode.l10n.t('Tasks belong to a folder: open one first.'));
  }
  const definition = taskDefinition(job.args, folder.uri.fsPath);
  if (definition === undefined) {
    throw new StudioError(
      'usage/arguments',
      vscode.l10n.t('This plan cannot be a task. Copy as Command gives the same for a terminal or a script.'),
    );
  }
  const section = vscode.workspace.getConfiguration('tasks', folder.uri);
  const found = section.inspect<unknown>('tasks')?.workspaceFolderValue;
  const tasks = Array.isArray(found) ? (found as readonly unknown[]) : [];
  const labels = new Set(
    tasks.map((task) => (typeof task === 'object' && task !== null && 'label' in task ? task.label : undefined)),
  );
  let label = job.title;
  for (let number = 2; labels.has(label); number++) {
    label = `${job.title} ${number}`;
  }
  const task = { label, ...definition, problemMatcher: ['$modelfile-studio'] };
  await section.update('version', section.get('version') ?? '2.0.0', vscode.ConfigurationTarget.WorkspaceFolder);
  await section.update('tasks', [...tasks, task], vscode.ConfigurationTarget.WorkspaceFolder);
  const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder.uri, '.vscode', 'tasks.json'));
  const at = document.positionAt(Math.max(0, document.getText().lastIndexOf(JSON.stringify(label))));
  await vscode.window.showTextDocument(document, { selection: new vscode.Range(at, at), preview: false });
}
