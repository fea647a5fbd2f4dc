import * as vscode from 'vscode';
import type { Services } from '../services';

/** Files that tell of a new or changed artefact. The editor's own watcher sees them; nothing is searched for them. */
const TELLING = /(?:\.gguf|\.safetensors|\.build\.json|[\\/](?:adapter_config|config|trainer_state)\.json)$/i;

/** A folder that is moved in or out may be all that a watcher tells of what is in it. */
const MAY_BE_FOLDER = /[\\/](?!\.git(?:[\\/]|$))(?:[^\\/.]+|checkpoint[^\\/]*|[^\\/]*\d\.\d[^\\/]*)$/;

/** Quiet for so long before a scan, in milliseconds. */
const QUIET_MS = 1500;

/** A scan that takes long is not repeated more often than this many times its own length. */
const REST_FACTOR = 5;

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
  const watcher = vscode.workspace.createFileSystemWatcher('**/*');
  const onFile = ({ path }: vscode.Uri): void => {
    if (TELLING.test(path)) {
      wish();
    }
  };
  const onFolder = (uri: vscode.Uri): void => (MAY_BE_FOLDER.test(uri.path) ? wish() : onFile(uri));
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
  return vscode.Disposable.from(
    watcher,
    watcher.onDidCreate(onFolder),
    watcher.onDidChange(onFile),
    watcher.onDidDelete(onFolder),
    seen,
    new vscode.Disposable(() => {
      clearTimeout(timer);
      stopJobs();
    }),
  );
}
