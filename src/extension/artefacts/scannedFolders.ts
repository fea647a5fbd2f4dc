import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import { hubCacheFolder } from '../../node/hub/hubSettings';
import type { Configuration } from '../configuration';

/** The folders that are scanned: every root of the workspace, the configured ones, the Hugging Face cache; only those that exist. */
export async function scannedFolders(configuration: Configuration): Promise<string[]> {
  const roots = workspaceRoots().map(({ path }) => path);
  const configured = configuration.get('artefacts.folders').map(expandHome).filter(isAbsolute);
  const cache = configuration.get('artefacts.huggingFaceCache') ? [hubCacheFolder()] : [];
  const wanted = [...new Set([...roots, ...configured, ...cache])];
  const there = await Promise.all(
    wanted.map((path) =>
      stat(path).then(
        (found) => found.isDirectory(),
        () => false,
      ),
    ),
  );
  return wanted.filter((_path, index) => there[index]);
}

/** The roots of the workspace that are on a disk, by the names that it gives them. */
export function workspaceRoots(): { readonly path: string; readonly name: string }[] {
  return (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === 'file')
    .map(({ uri, name }) => ({ path: uri.fsPath, name }));
}

function expandHome(path: string): string {
  return path === '~' || /^~[/\\]/.test(path) ? join(homedir(), path.slice(1)) : path;
}
