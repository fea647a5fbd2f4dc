import { dirname, isAbsolute, relative, sep } from 'node:path';
import * as vscode from 'vscode';
import type { ModelfileCommand } from '../../core/modelfile/modelfileTypes';
import type { Job } from '../jobs/job';
import { OllamaServer } from '../ollama/ollamaServer';
import { showError } from '../registerCommand';
import type { Services } from '../services';

/** When a build for a Modelfile is done, the file names its result: one edit, which one undo takes back. */
export function registerBuiltForModelfile(services: Services): void {
  const used = new Set(services.jobs.jobs.filter(({ state }) => state === 'done').map(({ id }) => id));
  const stop = services.jobs.onChange((job) => {
    if (job?.state === 'done' && job.spec.modelfile !== undefined && !used.has(job.id)) {
      used.add(job.id);
      use(services, job).catch((thrown: unknown) => showError(services, thrown));
    }
  });
  services.context.subscriptions.push({ dispose: stop });
}

async function use(services: Services, { spec: { output, modelfile } }: Job): Promise<void> {
  if (output === undefined || modelfile === undefined) {
    return;
  }
  const { editsForBuilt } = await import('../../core/modelfile/buildFix');
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(modelfile.path));
  const inherited = await handedOn(services, modelfile);
  const edits = editsForBuilt(document.getText(), fromModelfile(modelfile.path, output), modelfile.base, inherited);
  if (edits.length === 0) {
    void vscode.window.showWarningMessage(
      vscode.l10n.t(
        '{0} does not say FROM {1} any more, and was left as it is. The result is {2}.',
        vscode.workspace.asRelativePath(document.uri),
        modelfile.base,
        output,
      ),
    );
    return;
  }
  const change = new vscode.WorkspaceEdit();
  for (const { span, newText } of edits) {
    const range = new vscode.Range(document.positionAt(span.start), document.positionAt(span.end));
    change.replace(document.uri, range, newText);
  }
  await vscode.workspace.applyEdit(change);
  await vscode.window.showTextDocument(document, { preview: false });
}

/** Of a FROM that names an installed model: what is not in the file that was built. */
async function handedOn(
  services: Services,
  { base, path }: NonNullable<Job['spec']['modelfile']>,
): Promise<readonly ModelfileCommand[]> {
  const { sourceOf } = await import('./modelfileSources');
  const source = await sourceOf(base, dirname(path));
  if (source.kind === 'path') {
    return [];
  }
  const { inheritedOf } = await import('./inheritedOf');
  return await inheritedOf(services, new OllamaServer(services), source.name);
}

/** A path as a Modelfile names it: `./…` below its folder, else absolute. */
function fromModelfile(modelfile: string, path: string): string {
  const way = relative(dirname(modelfile), path);
  return isAbsolute(way) || way === '..' || way.startsWith(`..${sep}`) ? path : `./${way.split(sep).join('/')}`;
}
