import type { Artefact } from './artefact';
import { adapterWeights, numberedWeights } from './adapterFolder';
import { describeAdapter, describeMlxCheckpoints, isAdapterFolder } from './describeAdapter';
import { describeFile } from './describeFile';
import { describeModel, isModelFolder } from './describeModel';
import { jsonOf, picklesOf, type FolderFacts } from './folderFacts';
import { describeRun } from './describeRun';
import type { Finding, FolderFindings } from './finding';
import { readTrainerState, type TrainerState } from './trainerState';
import { checkpointStep, epochNumber, isModelWeights, isSavedState, TRAINER_STATE } from './trainingFolders';

/** Judges one folder; `children` are the folders in it, already judged, and come back marked as a run's newest and best. */
export function describeFolder(
  folder: FolderFacts,
  children: readonly FolderFindings[],
): { readonly own: FolderFindings; readonly children: readonly FolderFindings[] } {
  const state = stateOf(folder);
  const isCheckpoint = isSavedState(folder.name) || isLoneCheckpoint(folder);
  const contents = describeContents(folder).map((finding) =>
    isCheckpoint ? asCheckpoint(finding, folder, state) : finding,
  );
  const run = describeRun(folder, contents, children, state);
  const home = run.results[0]?.artefact.path;
  const findings = [...run.results, ...mlxCheckpoints(folder, run.results), ...describeFiles(folder, home)].map(
    withProducer,
  );
  return { own: { folder, findings, state }, children: run.children };
}

function stateOf(folder: FolderFacts): TrainerState | undefined {
  const json = jsonOf(folder, TRAINER_STATE);
  return json === undefined ? undefined : readTrainerState(json);
}

/** An adapter, a model, or both (torchtune saves them side by side). */
function describeContents(folder: FolderFacts): Finding[] {
  const findings: Finding[] = [];
  if (isAdapterFolder(folder)) {
    findings.push(describeAdapter(folder));
  }
  if (isModelFolder(folder)) {
    findings.push(describeModel(folder));
  }
  const pickles = picklesOf(folder);
  return pickles.length === 0
    ? findings
    : findings.map((finding) => ({ ...finding, artefact: { ...finding.artefact, pickles } }));
}

/** A checkpoint that was renamed or copied out: what the optimizer needs lies beside the weights. */
function isLoneCheckpoint(folder: FolderFacts): boolean {
  return (
    folder.files.has(TRAINER_STATE) &&
    [...folder.files.keys()].some((name) => /^(?:optimizer|scheduler)\.(?:pt|bin)$|^rng_state/.test(name))
  );
}

function asCheckpoint(finding: Finding, folder: FolderFacts, state: TrainerState | undefined): Finding {
  const { artefact } = finding;
  return {
    ...finding,
    artefact: {
      ...artefact,
      kind: 'checkpoint',
      content: artefact.kind,
      step: checkpointStep(folder.name) ?? epochNumber(folder.name) ?? state?.step,
      epoch: state?.epoch,
      loss: state?.loss,
      evalLoss: state?.evalLoss,
    },
  };
}

function mlxCheckpoints(folder: FolderFacts, results: readonly Finding[]): Finding[] {
  const home = results.find(({ artefact }) => artefact.kind === 'mlx-adapter');
  return home === undefined ? [] : describeMlxCheckpoints(folder, home.artefact);
}

/** Files that are no part of the folder's own weights, and those of them that are broken. */
function describeFiles(folder: FolderFacts, home: string | undefined): Finding[] {
  const used = new Set(numberedWeights(folder.files.keys()));
  const weights = isAdapterFolder(folder) ? adapterWeights(folder.files.keys()) : undefined;
  const findings: Finding[] = [];
  for (const [name, facts] of folder.facts) {
    const isSound = facts.format === 'safetensors' && facts.description.problems.length === 0;
    const isOwn = name === weights || used.has(name) || (home !== undefined && isModelWeights(name));
    if ((isOwn && isSound) || used.has(name)) {
      continue;
    }
    const finding = describeFile(folder, name, home);
    if (finding !== undefined) {
      findings.push(finding);
    }
  }
  return linkSplits(findings);
}

/** Parts of one split GGUF know how many they are: those that are not there are named in each. */
function linkSplits(findings: readonly Finding[]): Finding[] {
  const groups = new Map<string, Set<number>>();
  const stem = (artefact: Artefact): string =>
    `${artefact.path.replace(/-\d{5}-of-\d{5}\.gguf$/i, '')}|${artefact.split?.count ?? 0}`;
  for (const { artefact } of findings) {
    if (artefact.split !== undefined) {
      const numbers = groups.get(stem(artefact)) ?? new Set<number>();
      groups.set(stem(artefact), numbers.add(artefact.split.number));
    }
  }
  // Once for all parts: there may be thousands.
  const lacking = new Map<ReadonlySet<number>, readonly number[]>();
  const missingParts = (there: ReadonlySet<number>, count: number): readonly number[] => {
    const known =
      lacking.get(there) ??
      Array.from({ length: count }, (_, index) => index + 1).filter((number) => !there.has(number));
    lacking.set(there, known);
    return known;
  };
  return findings.map((finding) => {
    const { split, problems } = finding.artefact;
    const there = split === undefined ? undefined : groups.get(stem(finding.artefact));
    if (split === undefined || there === undefined || split.count > 10_000) {
      return finding;
    }
    const missing = missingParts(there, split.count);
    const added =
      missing.length === 0
        ? []
        : [
            {
              code: 'index/missing',
              message: `Part ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''} of ${split.count} is not there. Fetch the rest of the model.`,
            },
          ];
    return {
      ...finding,
      artefact: { ...finding.artefact, split: { ...split, missing }, problems: [...problems, ...added] },
    };
  });
}

/** What has a build record was built here. */
function withProducer(finding: Finding): Finding {
  return finding.record === undefined
    ? finding
    : { ...finding, artefact: { ...finding.artefact, producer: 'modelfile-studio' } };
}
