import { isAbsolute } from 'node:path';
import * as vscode from 'vscode';
import { scannedFolders } from '../artefacts/scannedFolders';
import { showReport } from '../reports/reportDocuments';
import type { CommandServices } from '../wizard/commandContext';

/** *Diagnose Setup*: what of this machine matters to a build, as a page that can be put into a report. */
export async function diagnose({ services }: CommandServices): Promise<void> {
  const folders = (await scannedFolders(services.configuration)).slice(0, 8);
  const { artefacts, context } = services;
  await showReport(vscode.l10n.t('Diagnose Setup'), async (signal) => {
    const checks = await services.cli.text(['doctor', ...pythonChoice(), ...folders], { signal });
    const { state } = artefacts;
    const scan =
      state.kind === 'ready'
        ? vscode.l10n.t('{0} artefacts', artefacts.artefacts.length)
        : state.kind === 'error'
          ? `${state.error.code}: ${state.error.message}`
          : state.kind;
    const version = String((context.extension.packageJSON as { readonly version?: unknown }).version);
    return [
      checks.trimEnd(),
      '',
      `  Extension  ${version} · ${vscode.env.appName} ${vscode.version}${vscode.env.remoteName === undefined ? '' : ` · ${vscode.env.remoteName}`}`,
      `  Scan       ${scan}`,
      ...folders.map((folder) => `             ${folder}`),
      '',
    ].join('\n');
  });
}

/** What is known of the Python extension's interface, as its package @vscode/python-extension declares it. */
interface PythonExtension {
  readonly environments?: { readonly getActiveEnvironmentPath?: () => { readonly path?: unknown } | undefined };
}

/** The interpreter that the Python extension uses, where that runs already; it is not started for this. */
function pythonChoice(): string[] {
  const found = vscode.extensions.getExtension<PythonExtension | undefined>('ms-python.python');
  if (found?.isActive !== true) {
    return [];
  }
  const path = found.exports?.environments?.getActiveEnvironmentPath?.()?.path;
  return typeof path === 'string' && isAbsolute(path) ? ['--python', path] : [];
}
