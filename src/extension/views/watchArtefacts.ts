import * as vscode from 'vscode';
import type { Services } from '../services';

/** Files that tell of a new or changed artefact. The editor's own watcher sees them; nothing is searched for them. */
const WATCHED = '**/{*.gguf,*.safetensors,adapter_config.json,config.json,trainer_state.json,*.build.json}';

/** Quiet for so long before a scan, in milliseconds. */
const QUIET_MS = 1500;

/** A scan that takes long is not repeated more often than this many times its own length. */
const REST_FACTOR = 10;

/** Scans again when artefacts come, change or go in the workspace; while the view is hidden, when it is next seen. */
export function watchArtefacts(services: Services, view: vscode.TreeView<unknown>): vscode.Disposable {
  let timer: NodeJS.Timeout | undefined;
  let restUntil = 0;
  let isMissed = false;
  const scan = async (): Promise<void> => {
    isMissed = !view.visible;
    if (isMissed || !services.trust.isTrusted || services.artefacts.state.kind === 'idle') {
      return;
    }
    const started = Date.now();
    await services.artefacts.scan();
    restUntil = Date.now() + REST_FACTOR * (Date.now() - started);
  };
  const wish = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void scan(), Math.max(QUIET_MS, restUntil - Date.now()));
  };
  const watcher = vscode.workspace.createFileSystemWatcher(WATCHED);
  const stopJobs = services.jobs.onChange((job) => {
    if (job?.state === 'done') {
      wish();
    }
  });
  const seen = view.onDidChangeVisibility(({ visible }) => {
    if (visible && isMissed) {
      void scan();
    }
  });
  return vscode.Disposable.from(watcher, watcher.onDidCreate(wish), watcher.onDidChange(wish), watcher.onDidDelete(wish), seen, new vscode.Disposable(() => {
    clearTimeout(timer);
    stopJobs();
  }));
}
