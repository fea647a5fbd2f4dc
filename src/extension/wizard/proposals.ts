import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod/mini';
import type { Proposal } from '../plans/proposal';
import { modelNameFrom } from './resultNames';

/** What every build is made of; all paths are absolute. */
export interface Sources {
  readonly base: string;
  readonly adapters: readonly string[];
}

/** `--base … --adapter …` */
function sourceArgs({ base, adapters }: Sources): string[] {
  return ['--base', base, ...adapters.flatMap((adapter) => ['--adapter', adapter])];
}

function sourceFiles({ base, adapters }: Sources): (readonly [string, string])[] {
  return [['base', base], ...adapters.map((adapter) => ['adapter', adapter] as const)];
}

function workerArgs(workers: number): string[] {
  return workers > 0 ? ['--workers', String(workers)] : [];
}

/** One pass from base and adapters to a GGUF. @param workers 0: as many as the engine finds right */
export function buildProposal(
  choices: Sources & { readonly type: string; readonly out: string },
  workers: number,
): Proposal {
  const args = ['build', ...sourceArgs(choices), '--type', choices.type, '--out', choices.out, ...workerArgs(workers)];
  return {
    job: { kind: 'build', title: `Build ${basename(choices.out)}`, args, output: choices.out },
    planArgs: [...args, '--dry-run'],
    files: [...sourceFiles(choices), ['result', choices.out]],
    then: [],
    canReplace: true,
  };
}

/** A build whose result a Modelfile then names. @param choices.from what its FROM says now */
export function buildForModelfileProposal(
  choices: Sources & { readonly type: string; readonly out: string; readonly modelfile: string; readonly from: string },
  workers: number,
): Proposal {
  const { modelfile, from, ...build } = choices;
  const proposal = buildProposal(build, workers);
  return {
    ...proposal,
    job: { ...proposal.job, modelfile: { path: modelfile, base: from } },
    files: [...proposal.files, ['Modelfile', modelfile]],
    then: [
      `FROM of ${basename(modelfile)} names ${basename(choices.out)}${choices.adapters.length === 0 ? '' : ', and ADAPTER goes'}. One undo takes it back.`,
    ],
  };
}

/** The same, and the model in Ollama. */
export function createProposal(
  choices: Sources & { readonly type: string | undefined; readonly name: string },
  workers: number,
): Proposal {
  const args = [
    'create',
    choices.name,
    ...sourceArgs(choices),
    ...(choices.type === undefined ? [] : ['--type', choices.type]),
    ...workerArgs(workers),
  ];
  return {
    job: {
      kind: 'create',
      title: `Create ${choices.name}`,
      args,
      model: choices.name,
      from: choices.adapters[0] ?? choices.base,
    },
    planArgs: [...args, '--dry-run'],
    detail: { base: choices.base, adapters: [...choices.adapters], name: choices.name },
    files: sourceFiles(choices),
    then: [],
    canReplace: true,
  };
}

/** The model of a Modelfile, with what is built for it. @param choices.type another type than the files have */
export function createFromModelfileProposal(
  choices: { readonly path: string; readonly name: string; readonly type?: string | undefined },
  workers: number,
): Proposal {
  const { path, name, type } = choices;
  const args = [
    'create',
    name,
    '-f',
    path,
    ...(type === undefined ? [] : ['--quantize', type]),
    ...workerArgs(workers),
  ];
  return {
    job: { kind: 'create', title: `Create ${name}`, args, cwd: dirname(path), model: name },
    planArgs: [...args, '--dry-run'],
    files: [['Modelfile', path]],
    then: [],
    change: { command: 'modelfileStudio.planFromModelfile', request: { path, name, type }, fields: ['type', 'name'] },
    canReplace: true,
  };
}

/** An installed model with an adapter on top as one fused model. @param choices.type another type than it is stored in */
export function fuseInstalledProposal(
  choices: { readonly model: string; readonly as: string; readonly type?: string | undefined },
  workers: number,
): Proposal {
  const { model, as, type } = choices;
  const args = [
    'create',
    as,
    '--base',
    `ollama:${model}`,
    ...(type === undefined ? [] : ['--type', type]),
    ...workerArgs(workers),
  ];
  return {
    job: { kind: 'create', title: `Fuse ${model} as ${as}`, args, model: as },
    planArgs: [...args, '--dry-run'],
    files: [],
    then: [`Template, system, parameters and licence are those of ${model}, which stays as it is.`],
    change: { command: 'modelfileStudio.fuseInstalledAdapter', request: { model, as } },
    canReplace: true,
  };
}

/** What the engine would do on the route that was chosen, where it does something. */
export function enginePlan(
  answer: unknown,
  choices: Sources & { readonly name: string },
): readonly string[] | undefined {
  const { route, type } = ROUTE.safeParse(answer).data ?? {};
  if (route === undefined || type === undefined || !route.startsWith('fuse')) {
    return undefined;
  }
  return [
    'build',
    ...sourceArgs(choices),
    '--type',
    type,
    '--out',
    join(tmpdir(), `${modelNameFrom(choices.name)}.${type}.gguf`),
    '--dry-run',
  ];
}

const ROUTE = z.object({ route: z.string(), type: z.string() });

/** A merged Hugging Face folder. */
export function fuseProposal(choices: Sources & { readonly out: string }, workers: number): Proposal {
  const args = ['fuse', ...sourceArgs(choices), '--out', choices.out, ...workerArgs(workers)];
  return {
    job: { kind: 'fuse', title: `Fuse ${basename(choices.out)}`, args, output: choices.out },
    planArgs: [...args, '--dry-run'],
    files: [...sourceFiles(choices), ['result', choices.out]],
    then: ['The folder holds weights, config, tokenizer and chat template, and converts like any model.'],
    canReplace: true,
  };
}

/** A 16-bit, 8-bit or 32-bit GGUF, as llama.cpp's converter writes it. */
export function convertProposal(
  choices: { readonly base: string; readonly type: string; readonly out: string },
  workers: number,
): Proposal {
  const args = [
    'convert',
    '--base',
    choices.base,
    '--type',
    choices.type,
    '--out',
    choices.out,
    ...workerArgs(workers),
  ];
  return {
    job: { kind: 'convert', title: `Convert ${basename(choices.out)}`, args, output: choices.out },
    planArgs: [...args, '--dry-run'],
    files: [
      ['base', choices.base],
      ['result', choices.out],
    ],
    then: [],
    canReplace: true,
  };
}

/** Another type for a GGUF or a folder. @param requantise true where the input has lost bits already and the user agreed */
export function quantizeProposal(
  choices: { readonly input: string; readonly type: string; readonly out: string; readonly requantise: boolean },
  workers: number,
): Proposal {
  const args = [
    'quantize',
    choices.input,
    choices.out,
    choices.type,
    ...(choices.requantise ? ['--allow-requantize'] : []),
    ...workerArgs(workers),
  ];
  return {
    job: { kind: 'quantize', title: `Quantise ${basename(choices.out)}`, args, output: choices.out },
    planArgs: [...args, '--dry-run'],
    files: [
      ['input', choices.input],
      ['result', choices.out],
    ],
    then: [],
    canReplace: true,
  };
}

/** A GGUF adapter. */
export function convertAdapterProposal(choices: {
  readonly base: string;
  readonly adapter: string;
  readonly type: string;
  readonly out: string;
}): Proposal {
  const args = [
    'convert-adapter',
    '--adapter',
    choices.adapter,
    '--base',
    choices.base,
    '--type',
    choices.type,
    '--out',
    choices.out,
  ];
  return {
    job: { kind: 'convert-adapter', title: `Convert ${basename(choices.out)}`, args, output: choices.out },
    planArgs: [...args, '--dry-run'],
    files: [
      ['base', choices.base],
      ['adapter', choices.adapter],
      ['result', choices.out],
    ],
    then: ['A Modelfile takes it with ADAPTER, below the FROM of the same base.'],
    canReplace: true,
  };
}

/** Builds a GGUF again as its record says it was built, over the old one. */
export function rebuildProposal(
  output: string,
  origin: {
    readonly base: string;
    readonly adapters: readonly { readonly path: string; readonly weight: number }[];
    readonly type: string;
  },
  workers: number,
): Proposal {
  const adapters = origin.adapters.map(({ path, weight }) => (weight === 1 ? path : `${path}=${weight}`));
  const proposal =
    /\.gguf$/i.test(origin.base) && adapters.length === 0
      ? quantizeProposal({ input: origin.base, type: origin.type, out: output, requantise: true }, workers)
      : buildProposal({ base: origin.base, adapters, type: origin.type, out: output }, workers);
  return { ...proposal, job: { ...proposal.job, title: `Rebuild ${basename(output)}` } };
}
