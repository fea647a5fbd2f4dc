import * as vscode from 'vscode';
import type { Artefact } from '../core/artefacts/artefact';
import { ArtefactStore } from './artefacts/artefactStore';
import { scannedFolders } from './artefacts/scannedFolders';
import { CommandLine } from './commandLine';
import { Configuration } from './configuration';
import { hubEnvironment } from './hubToken';
import { JobRunner } from './jobs/jobRunner';
import { TRUST, type Trust } from './trust';

/** What every part of the extension is given. Everything is made at activation and does nothing until it is asked. */
export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly configuration: Configuration;
  readonly trust: Trust;
  readonly cli: CommandLine;
  readonly jobs: JobRunner;
  readonly artefacts: ArtefactStore;
}

const JOBS_KEY = 'jobs';

export function createServices(context: vscode.ExtensionContext): Services {
  const log = vscode.window.createOutputChannel('Modelfile Studio', { log: true });
  const configuration = new Configuration(log);
  // The token goes to what fetches from the hub, and to nothing else.
  const environment = async (command: string): Promise<Record<string, string | undefined>> => ({
    ...configuration.environment(),
    ...(command.startsWith('fetch-') ? await hubEnvironment(context.secrets) : {}),
  });
  const cli = new CommandLine(context.extensionPath, environment, (line) => log.info(line));
  const jobs = new JobRunner((args, options) => cli.run(args, options), {
    read: () => context.workspaceState.get(JOBS_KEY),
    write: (value) => void context.workspaceState.update(JOBS_KEY, value),
  });
  const artefacts = new ArtefactStore(
    async (folders, signal) => {
      const started = Date.now();
      const answer = (await cli.json(['scan', ...folders], { signal })) as { readonly artefacts: readonly Artefact[] };
      log.info(`Scan: ${answer.artefacts.length} artefacts in ${folders.length} folders, ${Date.now() - started} ms`);
      return answer.artefacts;
    },
    async () => (TRUST.isTrusted ? await scannedFolders(configuration) : []),
  );
  const states = new Map<string, string>();
  jobs.onChange((job) => {
    if (job !== undefined && states.get(job.id) !== job.state) {
      states.set(job.id, job.state);
      log.info(`Job ${job.spec.title}: ${job.state}${job.error === undefined ? '' : ` (${job.error.code})`}`);
    }
  });
  context.subscriptions.push(log, { dispose: () => artefacts.dispose() });
  return { context, log, configuration, trust: TRUST, cli, jobs, artefacts };
}
