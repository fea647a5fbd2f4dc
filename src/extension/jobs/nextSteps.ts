import * as vscode from 'vscode';
import type { Job, JobSpec } from './job';

/** The Modelfile that the job wrote after its result. */
export function writtenModelfile({ args, next }: JobSpec): string | undefined {
  const written = next?.find(([command]) => command === 'modelfile');
  if (written !== undefined) {
    return written[written.indexOf('--out') + 1];
  }
  const kept = args.indexOf('--out-modelfile');
  return kept < 0 ? undefined : args[kept + 1];
}

/** What can be done with the result of a job. */
export interface NextStep {
  readonly title: string;
  run(): Thenable<unknown>;
}

/** What comes after a job that is done, the usual first. */
export function nextSteps({ spec }: Job): readonly NextStep[] {
  const { model, output } = spec;
  const modelfile = writtenModelfile(spec);
  if (model !== undefined) {
    return [
      { title: vscode.l10n.t('Try'), run: () => vscode.commands.executeCommand('modelfileStudio.try', model) },
      ...(modelfile === undefined ? [] : [openModelfile(modelfile)]),
    ];
  }
  if (output === undefined) {
    return [];
  }
  if (spec.modelfile !== undefined) {
    const uri = vscode.Uri.file(spec.modelfile.path);
    return [
      {
        title: vscode.l10n.t('Create from Modelfile'),
        run: () => vscode.commands.executeCommand('modelfileStudio.createFromModelfile', uri),
      },
    ];
  }
  const isGguf = output.toLowerCase().endsWith('.gguf');
  const step = (title: string, command: string, request: object): NextStep => ({
    title,
    run: () => vscode.commands.executeCommand(`modelfileStudio.${command}`, request),
  });
  const first = isGguf
    ? step(vscode.l10n.t('New Modelfile'), 'newModelfileFromArtefact', { path: output })
    : step(vscode.l10n.t('Convert to GGUF…'), 'convert', { base: output });
  return [
    modelfile === undefined ? first : openModelfile(modelfile),
    ...(isGguf ? [step(vscode.l10n.t('Open'), 'openInViewer', { path: output })] : []),
    step(vscode.l10n.t('Reveal'), 'reveal', { path: output }),
  ];
}

function openModelfile(path: string): NextStep {
  return {
    title: vscode.l10n.t('Open Modelfile'),
    run: () => vscode.window.showTextDocument(vscode.Uri.file(path)),
  };
}
