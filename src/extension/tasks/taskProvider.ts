import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import { workspaceRoots } from '../artefacts/scannedFolders';
import { showError } from '../registerCommand';
import type { Services } from '../services';
import { taskArguments } from './taskArguments';

export const TASK_TYPE = 'modelfile-studio';

/** Modelfiles that are offered as tasks to lint. */
const MAX_FILES = 50;

/** Tasks of tasks.json that run our command line, and one to lint all Modelfiles. VS Code itself runs no task without trust. */
export function registerTaskProvider(services: Services): void {
  const provider: vscode.TaskProvider = {
    provideTasks: async () => {
      const [folder] = vscode.workspace.workspaceFolders ?? [];
      if (folder === undefined || !services.trust.isTrusted) {
        return [];
      }
      const files = await vscode.workspace.findFiles(
        new vscode.RelativePattern(folder, '**/{Modelfile,modelfile,Modelfile.*,*.modelfile,*.Modelfile}'),
        '**/node_modules/**',
        MAX_FILES,
      );
      const definition = {
        type: TASK_TYPE,
        command: 'lint',
        // The search gives no order, and VS Code knows a task again by its definition: in another order it is 'not found'.
        files: files.map((uri) => vscode.workspace.asRelativePath(uri, false)).sort(),
      };
      const task =
        files.length === 0 ? undefined : makeTask(services, definition, folder, vscode.l10n.t('lint all Modelfiles'));
      return task === undefined ? [] : [task];
    },
    resolveTask: (task) => {
      const { definition, scope, name } = task;
      const folder = typeof scope === 'object' ? scope : vscode.workspace.workspaceFolders?.[0];
      // VS Code asks for the very definition object back.
      return services.trust.isTrusted ? makeTask(services, definition, folder, name) : undefined;
    },
  };
  services.context.subscriptions.push(vscode.tasks.registerTaskProvider(TASK_TYPE, provider));
}

/** The command line runs on VS Code's own Node, in the task's terminal; undefined, with the reason shown, where the definition is wrong. */
function makeTask(
  { cli, configuration, ...services }: Services,
  definition: vscode.TaskDefinition,
  folder: vscode.WorkspaceFolder | undefined,
  name: string,
): vscode.Task | undefined {
  const cwd = folder?.uri.scheme === 'file' ? folder.uri.fsPath : workspaceRoots()[0]?.path;
  const result = taskArguments(definition, cwd ?? process.cwd());
  if (!result.ok) {
    void showError(
      { cli, configuration, ...services },
      new StudioError(
        'usage/arguments',
        vscode.l10n.t('The task {0} in tasks.json cannot run: {1}', name, result.reason),
      ),
    );
    return undefined;
  }
  const set = Object.entries(configuration.environment()).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const env = { ELECTRON_RUN_AS_NODE: '1', ...Object.fromEntries(set) };
  const execution = new vscode.ProcessExecution(process.execPath, [cli.script, ...result.args], {
    env,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const task = new vscode.Task(
    definition,
    folder ?? vscode.TaskScope.Workspace,
    name,
    TASK_TYPE,
    execution,
    '$modelfile-studio',
  );
  task.group = result.definition.command === 'lint' ? vscode.TaskGroup.Test : vscode.TaskGroup.Build;
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, clear: true };
  return task;
}
