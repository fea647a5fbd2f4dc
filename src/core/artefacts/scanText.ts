import { largest } from '../extremes';
import { PLAIN, type Palette } from '../engine/describePlan';
import { escapeControls } from '../escapeControls';
import type { Artefact } from './artefact';
import { describeArtefact } from './describeArtefact';

interface Line {
  readonly depth: number;
  readonly label: string;
  /** Undefined for a line that heads a group. */
  readonly artefact?: Artefact | undefined;
}

/** The longest label that others are aligned to. */
const WIDEST = 40;

/** The artefacts of a scan as a tree: bases with what belongs to them, adapters without a base by the base they name, the rest. */
export function scanText(artefacts: readonly Artefact[], roots: readonly string[], palette: Palette = PLAIN): string {
  const lines = new Tree(artefacts, roots).lines();
  if (lines.length === 0) {
    return 'No artefacts: no adapter, model, checkpoint or GGUF was found here.';
  }
  const width = Math.min(
    WIDEST,
    largest(lines.filter(({ artefact }) => artefact !== undefined).map((line) => line.depth * 2 + line.label.length)),
  );
  return [...lines.flatMap((line) => render(line, width, palette)), '', summary(artefacts)].join('\n');
}

class Tree {
  private readonly rest: Set<Artefact>;
  private readonly parts = new Map<string, Artefact[]>();

  constructor(
    artefacts: readonly Artefact[],
    private readonly roots: readonly string[],
  ) {
    this.rest = new Set(artefacts.filter(({ partOf }) => partOf === undefined));
    const paths = new Set(artefacts.map(({ path }) => path));
    for (const artefact of artefacts) {
      if (artefact.partOf !== undefined && paths.has(artefact.partOf)) {
        this.parts.set(artefact.partOf, [...(this.parts.get(artefact.partOf) ?? []), artefact]);
      } else if (artefact.partOf !== undefined) {
        this.rest.add(artefact);
      }
    }
  }

  lines(): Line[] {
    const models = [...this.rest].filter(
      (one) =>
        (one.kind === 'model' || one.kind === 'mlx-model' || one.kind === 'gguf-model') && one.base?.path === undefined,
    );
    const grouped = models.flatMap((model) => this.withDescendants(model, 0));
    const baseless = this.take((one) => one.base !== undefined && one.base.path === undefined && isAdapter(one));
    const names = [...new Set(baseless.map((one) => one.base?.name ?? ''))];
    const named = names.flatMap((name): Line[] => [
      { depth: 0, label: `base not found: ${name === '' ? 'none is named' : name}` },
      ...baseless.filter((one) => (one.base?.name ?? '') === name).flatMap((one) => this.branch(one, 1)),
    ]);
    return [...grouped, ...named, ...[...this.rest].flatMap((one) => this.branch(one, 0))];
  }

  /** An artefact with everything that was made for it or from it below. */
  private withDescendants(artefact: Artefact, depth: number): Line[] {
    const own = this.branch(artefact, depth);
    return [
      ...own,
      ...this.take((one) => one.base?.path === artefact.path && one !== artefact).flatMap((one) =>
        this.withDescendants(one, depth + 1),
      ),
    ];
  }

  /** Removes and returns those of the rest. */
  private take(wanted: (artefact: Artefact) => boolean): Artefact[] {
    const taken = [...this.rest].filter(wanted);
    taken.forEach((artefact) => this.rest.delete(artefact));
    return taken;
  }

  /** An artefact with its checkpoints below it; its pickles and broken files are told in its own lines. */
  private branch(artefact: Artefact, depth: number): Line[] {
    this.rest.delete(artefact);
    const parts = (this.parts.get(artefact.path) ?? []).filter(
      ({ kind }) => kind === 'checkpoint' || kind === 'mlx-checkpoint' || kind === 'safetensors',
    );
    this.parts.delete(artefact.path);
    const newestFirst = parts.sort((a, b) => (b.step ?? 0) - (a.step ?? 0));
    return [
      { depth, label: this.label(artefact), artefact },
      ...newestFirst.flatMap((part) => this.branch(part, depth + 1)),
    ];
  }

  /** The path below the scanned folder, or below the artefact it is a part of. */
  private label(artefact: Artefact): string {
    const above = [artefact.partOf, ...this.roots].find(
      (one) => one !== undefined && artefact.path.startsWith(one) && artefact.path.length > one.length,
    );
    return above === undefined ? artefact.path : artefact.path.slice(above.length).replace(/^[/\\]+/, '');
  }
}

function isAdapter({ kind, content }: Artefact): boolean {
  const of = kind === 'checkpoint' || kind === 'trainer-output' ? content : kind;
  return of === 'peft-adapter' || of === 'mlx-adapter' || of === 'mlx-checkpoint';
}

function render(line: Line, width: number, palette: Palette): string[] {
  const indent = '  '.repeat(line.depth);
  const label = escapeControls(line.label);
  if (line.artefact === undefined) {
    return [palette.strong(`${indent}${label}`)];
  }
  const { problems, pickles } = line.artefact;
  const padded = `${label}${' '.repeat(Math.max(0, width - indent.length - line.label.length))}`;
  const folded =
    pickles === undefined
      ? ''
      : palette.faint(` · ${pickles.length} ${pickles.length === 1 ? 'pickle' : 'pickles'}, never loaded`);
  const mark = problems.length > 0 ? palette.warning('!') : ' ';
  return [
    `${mark} ${indent}${line.depth === 0 ? palette.strong(padded) : padded}  ${escapeControls(describeArtefact(line.artefact))}${folded}`,
    ...problems
      .slice(0, 3)
      .map((problem) => `    ${indent}${palette.warning(problem.code)}: ${escapeControls(problem.message)}`),
    ...(problems.length > 3 ? [`    ${indent}… and ${problems.length - 3} more`] : []),
  ];
}

function summary(artefacts: readonly Artefact[]): string {
  const whole = artefacts.filter(({ partOf }) => partOf === undefined);
  const troubled = whole.filter(({ problems }) => problems.length > 0).length;
  const count = `${whole.length} ${whole.length === 1 ? 'artefact' : 'artefacts'}`;
  return troubled === 0 ? count : `${count}, ${troubled} with problems`;
}
