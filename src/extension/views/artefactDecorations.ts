import * as vscode from 'vscode';
import { hasProblems } from '../artefacts/artefactTags';
import type { ArtefactStore } from '../artefacts/artefactStore';
import { ARTEFACT_SCHEME } from './artefactItem';

/** The badge of artefacts that are broken or out of date; it looks at the last scan only, never at the disk. */
export class ArtefactDecorations implements vscode.FileDecorationProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeFileDecorations = this.#changed.event;
  readonly #stop: () => void;
  #badges = new Map<string, vscode.FileDecoration>();

  constructor(store: ArtefactStore) {
    this.#stop = store.onChange(() => {
      this.#badges = new Map(
        store.artefacts.flatMap((artefact): [string, vscode.FileDecoration][] => {
          const key = artefact.path.replace(/^[\\/]+/, '').replaceAll('\\', '/');
          if (hasProblems(artefact)) {
            return [
              [
                key,
                new vscode.FileDecoration(
                  '!',
                  artefact.problems[0]?.code ?? vscode.l10n.t('Cannot be used'),
                  new vscode.ThemeColor('list.warningForeground'),
                ),
              ],
            ];
          }
          return artefact.builtFrom?.stale === true
            ? [[key, new vscode.FileDecoration('↻', vscode.l10n.t('Its inputs have changed since it was built'))]]
            : [];
        }),
      );
      this.#changed.fire(undefined);
    });
  }

  provideFileDecoration(uri: vscode.Uri): vscode.FileDecoration | undefined {
    return uri.scheme === ARTEFACT_SCHEME ? this.#badges.get(uri.path.slice(1)) : undefined;
  }

  dispose(): void {
    this.#stop();
    this.#changed.dispose();
  }
}
