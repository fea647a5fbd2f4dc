import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { FILE_TYPES } from '../../core/engine/fileTypes';
import { StudioError } from '../../core/errors';
import { buildRequest } from '../../core/modelfile/buildFix';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { chooseModelfile } from '../modelfile/modelfileDocuments';
import { sourceOf, type ModelfileSource } from '../modelfile/modelfileSources';
import { OllamaServer } from '../ollama/ollamaServer';
import type { Services } from '../services';
import type { CommandServices } from '../wizard/commandContext';
import { remember } from '../wizard/memory';
import { buildForModelfileProposal } from '../wizard/proposals';
import { askType, type Choices } from '../wizard/questions';
import { resultPath, stemOf } from '../wizard/resultNames';
import { askSteps } from '../wizard/steps';

const TEXT = z.string().check(z.maxLength(4096));
/** What the fix of the language server hands on; `ask` when the type is to be chosen. */
const REQUEST = z.object({
  uri: TEXT,
  base: TEXT.check(z.minLength(1)),
  adapters: z.array(TEXT).check(z.maxLength(64)),
  ask: z.optional(z.boolean()),
});

type Request = z.infer<typeof REQUEST>;

/**
 * *Build GGUF for Modelfile*: what FROM and ADAPTER name becomes one GGUF, which the Modelfile then names. Without a request: the
 * Modelfile of the active editor.
 */
export async function buildForModelfile({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const given = REQUEST.safeParse(args[0]);
  const request = given.success ? given.data : await requestOf(args[0]);
  const uri = vscode.Uri.parse(request.uri, true);
  if (uri.scheme !== 'file') {
    throw new StudioError(
      'input/unrecognised',
      vscode.l10n.t('A GGUF is built for a Modelfile on this machine: save it into a folder first.'),
    );
  }
  const directory = dirname(uri.fsPath);
  const from = await sourceOf(request.base, directory);
  const base = from.kind === 'path' ? from.path : `ollama:${from.name}`;
  const adapters = await Promise.all(
    request.adapters.map(async (value) => {
      const source = await sourceOf(value, directory);
      // An adapter is always a path; the plan says what is missing there.
      return source.kind === 'path' ? source.path : join(directory, value);
    }),
  );
  const type = request.ask === true ? await askForType(services, base) : await usualType(services, from, adapters);
  if (type === undefined) {
    return;
  }
  const stem = stemOf(adapters[0] ?? (from.kind === 'path' ? base : from.name)).replaceAll(/[[\]*?]/g, '-');
  const named = resultPath(directory, stem, type);
  const out = named === base ? resultPath(directory, `${stem}-fused`, type) : named;
  await plans.show({
    ...buildForModelfileProposal(
      { base, adapters, type, out, modelfile: uri.fsPath, from: request.base },
      services.configuration.get('engine.workers'),
    ),
    change: { command: 'modelfileStudio.buildForModelfile', request: { ...request, ask: true } },
  });
}

async function requestOf(argument: unknown): Promise<Request> {
  const document = await chooseModelfile(argument, vscode.l10n.t('Build GGUF for Modelfile'));
  const { base, adapters } = buildRequest(parseModelfile(document.getText()));
  return { uri: document.uri.toString(), base, adapters: [...adapters] };
}

async function askForType(services: Services, base: string): Promise<string | undefined> {
  const chosen = await askSteps<Choices>(vscode.l10n.t('Build GGUF for {0}', basename(base)), { base }, [
    askType(services, 'build'),
  ]);
  if (chosen?.type !== undefined) {
    remember(services, 'build', chosen);
  }
  return chosen?.type;
}

const ADVICE = z.object({ type: z.string().check(z.refine((type) => Object.hasOwn(FILE_TYPES, type))) });

/** The type that is advised for this base: what is quantised keeps its own. */
async function usualType(services: Services, from: ModelfileSource, adapters: readonly string[]): Promise<string> {
  // Advice needs no server: one that may not be asked is not.
  const nobody = new OllamaServer(services).isReady ? [] : ['--host', '127.0.0.1:1'];
  const args = [
    'routes',
    '--base',
    from.kind === 'path' ? from.path : from.name,
    ...adapters.flatMap((adapter) => ['--adapter', adapter]),
    ...nobody,
  ];
  const answer = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Reading {0}', basename(args[2] ?? '')) },
    // What is wrong with the inputs, the plan says.
    () => services.cli.json(args).catch(() => undefined),
  );
  return ADVICE.safeParse(answer).data?.type ?? 'Q8_0';
}
