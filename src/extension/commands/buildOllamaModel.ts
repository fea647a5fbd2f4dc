import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { artefactTags, isAdapter } from '../artefacts/artefactTags';
import { OllamaServer } from '../ollama/ollamaServer';
import type { ChangeField, Proposal } from '../plans/proposal';
import type { Services } from '../services';
import type { CommandServices } from '../wizard/commandContext';
import { remember } from '../wizard/memory';
import { pickArtefact } from '../wizard/pickArtefact';
import { buildProposal, createProposal } from '../wizard/proposals';
import {
  artefactAt,
  askAdapters,
  askBase,
  askName,
  askOutput,
  askType,
  resultFolder,
  type Choices,
} from '../wizard/questions';
import { modelNameFrom, resultPath, stemOf, withoutType } from '../wizard/resultNames';
import { askSteps, type Step } from '../wizard/steps';
import { readTarget, retyped, withoutAsked } from '../wizard/target';

/** *Build Ollama Model…*: from an adapter, a model folder or a GGUF to a model in Ollama; without Ollama to a GGUF and a Modelfile. */
export async function buildOllamaModel({ services, plans }: CommandServices, args: readonly unknown[]): Promise<void> {
  const request = readTarget(args);
  const target = withoutAsked(request);
  const start: Choices = {
    ...sortSources(await Promise.all(target.paths.map((path) => artefactAt(services, path)))),
    ...given(target),
  };
  const server = new OllamaServer(services);
  const isOllamaThere = canCreate(server);
  const chosen = await askSteps<Choices>(vscode.l10n.t('Build Ollama Model'), start, [
    request.ask === 'adapters' ? askAdapters(services, true) : askSource(services),
    askBase(services, vscode.l10n.t('Base of the adapter')),
    {
      ...askType(services, 'build'),
      isNeeded: ({ base, adapters, type }) => type === undefined && !isFinished({ base, adapters }),
    },
    askNameOrFile(services, server, isOllamaThere),
  ]);
  if (chosen?.base === undefined) {
    return;
  }
  if (chosen.type !== undefined) {
    remember(services, 'build', chosen);
  }
  const { base, adapters = [], type, name } = chosen;
  const out = chosen.out === undefined || type === undefined ? chosen.out : retyped(chosen.out, request.type, type);
  const workers = services.configuration.get('engine.workers');
  const fields: ChangeField[] = [
    'base',
    ...(adapters.length === 0 ? [] : ['adapters' as const]),
    ...(isFinished({ base, adapters }) ? [] : ['type' as const]),
    name === undefined ? 'out' : 'name',
  ];
  const change = { command: 'modelfileStudio.buildOllamaModel', request: { base, adapters, type, name, out }, fields };
  if (name !== undefined) {
    await server.require();
    await plans.show({
      ...createProposal({ base, adapters, type, name }, workers),
      ...(isFinished({ base, adapters }) ? {} : { keep: await kept(services, { base, adapters, name }) }),
      change,
    });
  } else if (out !== undefined) {
    await plans.show({
      ...(await filesProposal({ base, adapters, type, out }, workers)),
      change,
    });
  }
}

/** What was given with the command, where it is more than a selection. */
function given({ base, adapters, type, out, name }: ReturnType<typeof readTarget>): Choices {
  return Object.fromEntries(
    Object.entries({ base, adapters, type, out, name }).filter(([, value]) => value !== undefined),
  );
}

/** A GGUF needs no type: it is taken as it is. */
function isFinished({ base, adapters }: Choices): boolean {
  return (adapters ?? []).length === 0 && /\.gguf$/i.test(base ?? '');
}

/** The selection as adapters and base; an adapter brings its base where just one fits. */
function sortSources(selected: readonly Artefact[]): Choices {
  const adapters = selected.filter(isAdapter);
  const base = selected.find((artefact) => !isAdapter(artefact)) ?? undefined;
  return {
    ...(adapters.length === 0 ? {} : { adapters: adapters.map(({ path }) => path) }),
    ...(base === undefined ? {} : { base: base.path }),
    ...onlyBase(adapters, base),
  };
}

function onlyBase(adapters: readonly Artefact[], base: Artefact | undefined): Choices {
  const candidates = adapters[0]?.base?.candidates ?? [];
  return base === undefined && adapters.length > 0 && candidates.length === 1 ? { base: candidates[0] } : {};
}

/** An adapter, a model or a GGUF to begin with. */
function askSource(services: Services): Step<Choices> {
  return {
    isNeeded: ({ base, adapters }) => base === undefined && (adapters ?? []).length === 0,
    ask: async (_choices, at) => {
      const chosen = await pickArtefact(services, at, {
        placeholder: vscode.l10n.t('Adapter, model or GGUF to build from'),
        filter: (artefact) => artefactTags(artefact).includes('buildable'),
        browse: 'folder',
      });
      return chosen === undefined || chosen === 'back'
        ? chosen
        : sortSources(await Promise.all(chosen.map((path) => artefactAt(services, path))));
    },
  };
}

/** The name of the model, or, where there is no Ollama, the GGUF to end with. */
function askNameOrFile(services: Services, server: OllamaServer, isOllamaThere: Promise<boolean>): Step<Choices> {
  const name = askName(({ base, adapters }) => modelNameFrom(stemOf(adapters?.[0] ?? base ?? '')));
  const file = askOutput(
    vscode.l10n.t('Ollama does not answer: the build ends with this GGUF and a Modelfile'),
    ({ base, adapters, type }) => {
      const source = adapters?.[0] ?? base ?? '';
      return resultPath(resultFolder(services, [source]), stemOf(source), type);
    },
  );
  return {
    isNeeded: (choices) => choices.name === undefined && choices.out === undefined,
    ask: async (choices, at) => {
      if (await isOllamaThere) {
        return await name.ask(choices, at);
      }
      if (isFinished(choices)) {
        // Nothing is left to build of a GGUF: say what is wrong with Ollama.
        const { requireOllama } = await import('../../node/ollama/ollamaState');
        await requireOllama(await server.client());
      }
      return await file.ask(choices, at);
    },
  };
}

/** Whether a model could be made now; another machine that was not allowed yet counts, because *Run* asks. */
async function canCreate(server: OllamaServer): Promise<boolean> {
  if (!server.isEnabled) {
    return false;
  }
  if (!server.isAllowed) {
    return true;
  }
  const { ollamaState } = await import('../../node/ollama/ollamaState');
  const state = await ollamaState(await server.client()).catch(() => undefined);
  return state?.state === 'running';
}

/** A GGUF and a Modelfile with template and stops beside it. */
async function filesProposal(
  choices: {
    readonly base: string;
    readonly adapters: readonly string[];
    readonly type: string | undefined;
    readonly out: string;
  },
  workers: number,
): Promise<Proposal> {
  const { base, adapters, type = 'Q4_K_M', out } = choices;
  const modelfile = await freeName(join(dirname(out), withoutType(basename(out).replace(/\.gguf$/i, ''))));
  const proposal = buildProposal({ base, adapters, type, out }, workers);
  return {
    ...proposal,
    job: { ...proposal.job, next: [['modelfile', '--base', out, '--out', modelfile]] },
    files: [...proposal.files, ['Modelfile', modelfile]],
    then: [
      vscode.l10n.t('A Modelfile with template and stops is written beside it.'),
      vscode.l10n.t('When Ollama is there: Create from Modelfile.'),
    ],
  };
}

/** What keeps the GGUF and the Modelfile of a create, beside what it is made from. */
async function kept(
  services: Services,
  { base, adapters, name }: { readonly base: string; readonly adapters: readonly string[]; readonly name: string },
): Promise<Proposal['keep']> {
  const stem = name.replace(/:latest$/, '').replace(/[^A-Za-z0-9._-]+/g, '-');
  const modelfile = await freeName(join(resultFolder(services, [adapters[0] ?? base]), stem));
  return { args: ['--out-modelfile', modelfile], modelfile };
}

/** `STEM.Modelfile`, or with a number where that exists. */
async function freeName(stem: string): Promise<string> {
  for (let number = 1; ; number++) {
    const path = `${stem}${number === 1 ? '' : `-${number}`}.Modelfile`;
    if (
      !(await lstat(path).then(
        () => true,
        () => false,
      ))
    ) {
      return path;
    }
  }
}
