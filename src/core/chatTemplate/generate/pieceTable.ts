import { commonPrefix, commonSuffix, HOLE } from './marks';

/** A yes-or-no question that a Go template asks, with how it is written there. */
export interface Question {
  readonly name: string;
  readonly condition: string;
}

/** What was seen to be written in one case. */
export interface Sample {
  readonly answers: Readonly<Record<string, boolean>>;
  readonly text: string;
}

/** Pieces of a template: text with placeholders, or a choice. */
export type Piece =
  string | { readonly condition: string; readonly then: readonly Piece[]; readonly otherwise: readonly Piece[] };

/**
 * The shortest choice among the questions, in their order, that gives every sample its text; what samples have in common stands
 * outside of it. Undefined where two samples contradict each other.
 */
export function choose(samples: readonly Sample[], questions: readonly Question[]): readonly Piece[] | undefined {
  const [first] = samples;
  if (first === undefined) {
    return [];
  }
  if (samples.every(({ text }) => text === first.text)) {
    return first.text === '' ? [] : [first.text];
  }
  const prefix = wholeTokens(samples.map(({ text }) => text).reduce(commonPrefix), samples);
  const rest = samples.map((sample) => ({ ...sample, text: sample.text.slice(prefix.length) }));
  const suffix = wholeTail(rest.map(({ text }) => text).reduce(commonSuffix));
  const middle = rest.map((sample) => ({ ...sample, text: sample.text.slice(0, sample.text.length - suffix.length) }));
  const branches = split(middle, questions);
  return branches === undefined
    ? undefined
    : [...(prefix === '' ? [] : [prefix]), ...branches, ...(suffix === '' ? [] : [suffix])];
}

function split(samples: readonly Sample[], questions: readonly Question[]): readonly Piece[] | undefined {
  let best: readonly Piece[] | undefined;
  for (const question of questions) {
    const yes = samples.filter(({ answers }) => answers[question.name] === true);
    const no = samples.filter(({ answers }) => answers[question.name] !== true);
    if (yes.length === 0 || no.length === 0) {
      continue;
    }
    const others = questions.filter((other) => other !== question);
    const then = choose(yes, others);
    const otherwise = choose(no, others);
    if (then === undefined || otherwise === undefined) {
      continue;
    }
    const pieces: readonly Piece[] = isPrintedAnyway(question, then, otherwise)
      ? then
      : then.length === 0
        ? [{ condition: `not ${parenthesised(question.condition)}`, then: otherwise, otherwise: [] }]
        : [{ condition: question.condition, then, otherwise }];
    if (best === undefined || weight(pieces) < weight(best)) {
      best = pieces;
    }
  }
  return best;
}

/** What is empty prints nothing: no need to ask. */
function isPrintedAnyway({ name }: Question, then: readonly Piece[], otherwise: readonly Piece[]): boolean {
  const hole = name === 'system' ? HOLE.system : name === 'thinking' ? HOLE.thinking : undefined;
  return hole !== undefined && otherwise.length === 0 && then.length === 1 && then[0] === hole;
}

function parenthesised(condition: string): string {
  return condition.includes(' ') ? `(${condition})` : condition;
}

/** Choices weigh more than text. */
function weight(pieces: readonly Piece[]): number {
  return pieces.reduce(
    (sum, piece) =>
      sum + (typeof piece === 'string' ? piece.length : 30 + weight(piece.then) + weight(piece.otherwise)),
    0,
  );
}

/** Cuts a common beginning back to the end of a line or the beginning of a token, unless it is all of one sample. */
function wholeTokens(prefix: string, samples: readonly Sample[]): string {
  if (samples.some(({ text }) => text.length === prefix.length)) {
    return prefix;
  }
  const line = prefix.lastIndexOf('\n') + 1;
  const token = Math.max(prefix.lastIndexOf('<'), prefix.lastIndexOf('['));
  return prefix.slice(0, Math.max(line, token, 0));
}

/** The same for a common ending: it begins with a token, a new line or a placeholder. */
function wholeTail(suffix: string): string {
  const start = suffix.search(/[<[\n]|[\ue001-\ue006]/);
  return start < 0 ? '' : suffix.slice(start);
}

/** The same pieces with other conditions; texts stay what they are. */
export function mapConditions(pieces: readonly Piece[], change: (condition: string) => string): readonly Piece[] {
  return pieces.map((piece) =>
    typeof piece === 'string'
      ? piece
      : {
          condition: change(piece.condition),
          then: mapConditions(piece.then, change),
          otherwise: mapConditions(piece.otherwise, change),
        },
  );
}

/** Every condition, at any depth. */
export function conditionsOf(pieces: readonly Piece[]): string[] {
  return pieces.flatMap((piece) =>
    typeof piece === 'string' ? [] : [piece.condition, ...conditionsOf(piece.then), ...conditionsOf(piece.otherwise)],
  );
}

/** Every text, at any depth. */
export function textsOf(pieces: readonly Piece[]): string[] {
  return pieces.flatMap((piece) =>
    typeof piece === 'string' ? [piece] : [...textsOf(piece.then), ...textsOf(piece.otherwise)],
  );
}
