import { join } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { artefactTags, isAdapter } from '../artefacts/artefactTags';
import type { CommandServices } from '../wizard/commandContext';
import { pickArtefact } from '../wizard/pickArtefact';
import { artefactAt, askBase, resultFolder, type Choices } from '../wizard/questions';
import { askSteps, type Step } from '../wizard/steps';
import { readTarget } from '../wizard/target';

const ANSWER = z.object({ modelfile: z.string() });

/** *New Modelfile from Artefact*: an unsaved document beside the artefact, with its template, stops and parameters. */
export async function newModelfileFromArtefact({ services }: CommandServices, args: readonly unknown[]): Promise<void> {
  const { paths, base: given, adapters: givenAdapters } = readTarget(args);
  const [path] = paths;
  const first = path === undefined ? undefined : await artefactAt(services, path);
  const isOnBase = first !== undefined && (isAdapter(first) || first.kind === 'gguf-adapter');
  const start: Choices = {
    base: given ?? (isOnBase ? undefined : path),
    adapters: givenAdapters ?? (isOnBase ? [first.path] : undefined),
  };
  const askSource: Step<Choices> = {
    isNeeded: ({ base, adapters }) => base === undefined && adapters === undefined,
    ask: async (_choices, at) => {
      const chosen = await pickArtefact(services, at, {
        placeholder: vscode.l10n.t('What FROM or ADAPTER names'),
        filter: (artefact) => artefactTags(artefact).includes('modelfile'),
        browse: 'gguf',
      });
      if (chosen === undefined || chosen === 'back') {
        return chosen;
      }
      const artefact = await artefactAt(services, chosen[0]!);
      return isAdapter(artefact) || artefact.kind === 'gguf-adapter'
        ? { adapters: [artefact.path] }
        : { base: artefact.path };
    },
  };
  const chosen = await askSteps<Choices>(vscode.l10n.t('New Modelfile from Artefact'), start, [
    askSource,
    askBase(services, vscode.l10n.t('Base of the adapter, which FROM names')),
  ]);
  if (chosen?.base === undefined) {
    return;
  }
  const { base, adapters = [] } = chosen;
  const folder = resultFolder(services, [adapters[0] ?? base]);
  const answer = ANSWER.parse(
    await services.cli.json(['modelfile', '--base', base, ...adapters.flatMap((adapter) => ['--adapter', adapter])], {
      cwd: folder,
    }),
  );
  await openUnsaved(folder, answer.modelfile);
}

/** A document that is saved as `Modelfile` in the folder, unless the user chooses another name. */
async function openUnsaved(folder: string, text: string): Promise<void> {
  const taken = new Set(vscode.workspace.textDocuments.map(({ uri }) => uri.toString()));
  for (let number = 1; ; number++) {
    const path = join(folder, number === 1 ? 'Modelfile' : `Modelfile.${number}`);
    const isThere = await Promise.resolve(vscode.workspace.fs.stat(vscode.Uri.file(path))).then(
      () => true,
      () => false,
    );
    const uri = vscode.Uri.file(path).with({ scheme: 'untitled' });
    if (!isThere && !taken.has(uri.toString())) {
      const document = await vscode.workspace.openTextDocument(uri);
      const editor = await vscode.window.showTextDocument(document);
      await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), text));
      return;
    }
  }
}
