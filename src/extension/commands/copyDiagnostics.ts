import * as vscode from 'vscode';
import { SECTION } from '../configuration';
import { recentErrors } from '../recentErrors';
import { shortenPrivate } from '../shortenPrivate';
import type { CommandServices } from '../wizard/commandContext';

/** *Copy Diagnostics for an Issue*: versions, settings that differ, the last errors and jobs; nothing personal, nothing secret. */
export async function copyDiagnostics({ services }: CommandServices): Promise<void> {
  const { artefacts, context, jobs } = services;
  const manifest = context.extension.packageJSON as {
    readonly version?: unknown;
    readonly contributes?: { readonly configuration?: { readonly properties?: Record<string, unknown> } };
  };
  // What differs from the defaults; a host is only said to be set.
  const section = vscode.workspace.getConfiguration(SECTION);
  const settings = Object.keys(manifest.contributes?.configuration?.properties ?? {}).flatMap((name) => {
    const key = name.slice(SECTION.length + 1);
    const found = section.inspect<unknown>(key);
    const value = section.get<unknown>(key);
    return found === undefined || JSON.stringify(found.defaultValue) === JSON.stringify(value)
      ? []
      : [`  ${name}: ${/host|folder/i.test(key) ? 'set' : JSON.stringify(value)}`];
  });
  const doctor = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Looking at the setup') },
    () => services.cli.text(['doctor']).catch((thrown: unknown) => String(thrown)),
  );
  const { state } = artefacts;
  const lines = [
    `Modelfile Studio ${String(manifest.version)} · ${vscode.env.appName} ${vscode.version} · ${vscode.env.remoteName ?? 'local'} · ${vscode.env.uiKind === vscode.UIKind.Web ? 'browser' : 'desktop'}`,
    '',
    doctor.trimEnd(),
    '',
    `Scan: ${state.kind}, ${artefacts.artefacts.length} artefacts`,
    ...(state.kind === 'error' ? [`  ${state.error.code}: ${state.error.message}`] : []),
    '',
    `Settings that differ: ${settings.length === 0 ? 'none' : ''}`,
    ...settings,
    '',
    `Last jobs: ${jobs.jobs.length === 0 ? 'none' : ''}`,
    ...jobs.jobs
      .slice(0, 10)
      .map(
        ({ spec, state: how, error }) =>
          `  ${spec.kind} ${how}${error === undefined ? '' : ` ${error.code}: ${error.message}`}`,
      ),
    '',
    `Last errors: ${recentErrors().length === 0 ? 'none' : ''}`,
    ...recentErrors().map(({ time, code, message }) => `  ${time} ${code}: ${message}`),
  ];
  const models = jobs.jobs.flatMap(({ spec: { model } }) => (model === undefined ? [] : [model]));
  const text = shortenPrivate(lines.join('\n').replaceAll(/\u001b\[[\d;]*m/g, ''), models);
  await vscode.env.clipboard.writeText(`\`\`\`text\n${text}\n\`\`\`\n`);
  const open = vscode.l10n.t('Show');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Copied. Paths and names of models are shortened; read it before you post it.'),
    open,
  );
  if (chosen === open) {
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content: text, language: 'log' }));
  }
}
