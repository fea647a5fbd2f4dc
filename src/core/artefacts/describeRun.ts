import type { Artefact, ArtefactCheckpoint, ArtefactProblem, Producer } from './artefact';
import { chooseCheckpoint, type CheckpointChoice } from './chooseCheckpoint';
import type { Finding, FolderFindings } from './finding';
import { sizeOf, type FolderFacts } from './folderFacts';
import { producerOf } from './producer';
import type { TrainerState } from './trainerState';
import { isSavedState } from './trainingFolders';

export interface DescribedRun {
  /** What stands for the folder itself. */
  readonly results: readonly Finding[];
  readonly children: readonly FolderFindings[];
}

const NO_WEIGHTS: ArtefactProblem = {
  code: 'adapter/missing',
  message:
    'None of the checkpoints holds weights that can be built. If DeepSpeed or FSDP trained, run zero_to_fp32.py of the checkpoint, or save with gathered weights.',
};

/** Joins the folder of a training run with the checkpoints in it: which is the newest, which the best, which tool made them. */
export function describeRun(
  folder: FolderFacts,
  contents: readonly Finding[],
  children: readonly FolderFindings[],
  state: TrainerState | undefined,
): DescribedRun {
  const saved = children.filter(
    (child) => isSavedState(child.folder.name) && child.findings[0]?.artefact.kind === 'checkpoint',
  );
  if (saved.length === 0) {
    return { results: contents.length === 0 && state !== undefined ? [bareState(folder, state)] : contents, children };
  }
  const usable = saved.filter((child) => hasWeights(child.findings[0]!.artefact));
  const states = [state, ...saved.map((child) => child.state)].filter((one) => one !== undefined);
  const choice = chooseCheckpoint(
    usable.map((child) => child.folder.name),
    states,
  );
  const producer = runProducer(folder, saved);
  const checkpoints = saved
    .map((child): ArtefactCheckpoint => {
      const { step = 0, loss } = child.findings[0]!.artefact;
      return { path: child.folder.path, step, loss, evalLoss: choice.evalLosses.get(child.folder.name) };
    })
    .sort((a, b) => a.step - b.step);
  const named = (name: string | undefined): FolderFindings | undefined =>
    usable.find((child) => child.folder.name === name);
  const fields: Partial<Artefact> = {
    producer,
    checkpoints,
    newestCheckpoint: named(choice.newest)?.folder.path,
    bestCheckpoint: named(choice.best ?? choice.newest)?.folder.path,
    bestBy: choice.bestBy ?? 'step',
  };
  const results =
    contents.length > 0
      ? contents.map((finding) => ({ ...finding, artefact: { ...finding.artefact, ...fields } }))
      : [standIn(folder, fields, named(choice.best ?? choice.newest)?.findings[0], choice)];
  const isSaved = new Set(saved);
  return {
    results,
    children: children.map((child) => (isSaved.has(child) ? mark(child, folder, choice, producer) : child)),
  };
}

function hasWeights(artefact: Artefact): boolean {
  return artefact.weightsFile !== undefined || artefact.tensors !== undefined;
}

/** Run and checkpoints are of one tool: the most particular sign counts. */
function runProducer(folder: FolderFacts, saved: readonly FolderFindings[]): Producer | undefined {
  const signs = [producerOf(folder), ...saved.map((child) => child.findings[0]?.artefact.producer)].filter(
    (sign) => sign !== undefined,
  );
  return signs.find((sign) => sign !== 'transformers') ?? signs[0];
}

function mark(
  child: FolderFindings,
  run: FolderFacts,
  choice: CheckpointChoice,
  producer: Producer | undefined,
): FolderFindings {
  const { name } = child.folder;
  const findings = child.findings.map((finding) =>
    finding.artefact.kind === 'checkpoint'
      ? {
          ...finding,
          artefact: {
            ...finding.artefact,
            partOf: run.path,
            producer,
            isNewest: name === choice.newest,
            evalLoss: choice.evalLosses.get(name),
            isBest: name === choice.best,
          },
        }
      : finding,
  );
  return { ...child, findings };
}

/** A run's folder that has only its checkpoints stands for the one that would be taken. */
function standIn(
  folder: FolderFacts,
  fields: Partial<Artefact>,
  taken: Finding | undefined,
  choice: CheckpointChoice,
): Finding {
  const problems: ArtefactProblem[] = taken === undefined ? [NO_WEIGHTS] : [];
  if (choice.lostBest !== undefined) {
    problems.push({
      code: 'adapter/missing',
      message: `The best checkpoint, ${choice.lostBest}, is not there any more; ${choice.best === undefined ? 'the newest' : `${choice.best}, by its evaluation loss,`} is taken.`,
    });
  }
  const artefact: Artefact = {
    path: folder.path,
    kind: 'trainer-output',
    ...inherited(taken?.artefact),
    ...sizeOf(folder),
    ...fields,
    problems,
  };
  return { artefact, adapter: taken?.adapter, model: undefined, identity: folder.identity };
}

function inherited(taken: Artefact | undefined): Partial<Artefact> {
  if (taken === undefined) {
    return {};
  }
  const {
    content,
    format,
    method,
    rank,
    alpha,
    scale,
    targets,
    modules,
    dtype,
    parameters,
    base,
    label,
    architecture,
    purpose,
    tokenizer,
    template,
  } = taken;
  return {
    content,
    format,
    method,
    rank,
    alpha,
    scale,
    targets,
    modules,
    dtype,
    parameters,
    base,
    label,
    architecture,
    purpose,
    tokenizer,
    template,
  };
}

/** A trainer state with nothing beside it. */
function bareState(folder: FolderFacts, state: TrainerState): Finding {
  const artefact: Artefact = {
    path: folder.path,
    kind: isSavedState(folder.name) ? 'checkpoint' : 'trainer-output',
    producer: producerOf(folder),
    ...sizeOf(folder),
    step: state.step,
    epoch: state.epoch,
    loss: state.loss,
    evalLoss: state.evalLoss,
    problems: [
      {
        code: 'adapter/missing',
        message:
          'The folder has the state of a training but no weights. If DeepSpeed or FSDP trained, run zero_to_fp32.py of it, or save with gathered weights.',
      },
    ],
  };
  return { artefact, identity: folder.identity };
}
