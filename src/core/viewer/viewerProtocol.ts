import * as z from 'zod/mini';
import { TENSOR_SORTS } from './tensorTable';
import { TOKEN_KINDS } from './tokenizer/ggufVocabulary';

/** Rows of one answer. */
export const PAGE_ROWS = 200;
/** UTF-16 units of a text to be tokenised. */
export const TRIAL_UNITS = 20_000;

const index = z.int().check(z.nonnegative());
const count = z.int().check(z.minimum(1), z.maximum(PAGE_ROWS));
const filter = z.string().check(z.maxLength(500));
const page = { start: index, count };

export const VOCABULARY_KINDS = ['all', ...TOKEN_KINDS] as const;
export const DIFFERENCE_PARTS = ['metadata', 'tensors'] as const;

/** What the page may ask. Nothing in it names a file: those come from the editor alone. */
export const PageQuestion = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('summary') }),
  z.object({ ask: z.literal('origin') }),
  z.object({
    ask: z.literal('tensors'),
    filter,
    sort: z.enum(TENSOR_SORTS),
    descending: z.boolean(),
    onlyProblems: z.boolean(),
    ...page,
  }),
  z.object({
    ask: z.literal('find'),
    index,
    filter,
    sort: z.enum(TENSOR_SORTS),
    descending: z.boolean(),
    onlyProblems: z.boolean(),
  }),
  z.object({ ask: z.literal('metadata'), filter, ...page }),
  z.object({ ask: z.literal('value'), index, ...page }),
  z.object({ ask: z.literal('vocabulary'), filter, kind: z.enum(VOCABULARY_KINDS), ...page }),
  z.object({ ask: z.literal('tokenise'), text: z.string().check(z.maxLength(TRIAL_UNITS)) }),
  z.object({ ask: z.literal('templates') }),
  z.object({ ask: z.literal('goTemplate') }),
  z.object({ ask: z.literal('adapter') }),
  z.object({ ask: z.literal('problems'), ...page }),
  z.object({ ask: z.literal('differences'), part: z.enum(DIFFERENCE_PARTS), filter, ...page }),
  z.object({ ask: z.literal('values'), index }),
]);
export type PageQuestion = z.infer<typeof PageQuestion>;

/** What the editor asks on its own. */
export type ViewerQuestion =
  | PageQuestion
  | { readonly ask: 'json' }
  | { readonly ask: 'adapter'; readonly base?: string | undefined }
  | { readonly ask: 'compare'; readonly path: string };

export const ErrorAnswer = z.object({ code: z.string(), message: z.string() });
export type ErrorAnswer = z.infer<typeof ErrorAnswer>;

const number = z.number();
const optionalNumber = z.optional(z.number());
const optionalText = z.optional(z.string());

export const TAB_NAMES = [
  'summary',
  'metadata',
  'tensors',
  'tokenizer',
  'template',
  'adapter',
  'problems',
  'compare',
] as const;
export type TabName = (typeof TAB_NAMES)[number];

export const SummaryAnswer = z.object({
  name: z.string(),
  format: z.enum(['gguf', 'safetensors']),
  /** Short facts for the line below the name. */
  headline: z.array(z.string()),
  facts: z.array(z.object({ label: z.string(), value: z.string() })),
  mix: z.array(
    z.object({ type: z.string(), tensors: number, elements: number, bytes: number, share: number, size: z.string() }),
  ),
  notes: z.array(z.string()),
  /** False when the header ends in the middle. */
  complete: z.boolean(),
  counts: z.object({ metadata: number, tensors: number, tokens: optionalNumber, problems: number }),
  hasTemplate: z.boolean(),
  /** Of the tokens. */
  hasScores: z.boolean(),
  isAdapter: z.boolean(),
  canQuantise: z.boolean(),
});
export type SummaryAnswer = z.infer<typeof SummaryAnswer>;

/** What the files around a file tell; it comes a little later. */
export const OriginAnswer = z.object({
  facts: z.array(z.object({ label: z.string(), value: z.string() })),
  hasTokenizer: z.boolean(),
  hasTemplate: z.boolean(),
});
export type OriginAnswer = z.infer<typeof OriginAnswer>;

export const TensorRowAnswer = z.object({
  index: number,
  name: z.string(),
  shape: z.string(),
  type: z.string(),
  size: z.string(),
  bytes: z.string(),
  offset: z.string(),
  problem: optionalText,
});
export type TensorRowAnswer = z.infer<typeof TensorRowAnswer>;
const rows = <T extends z.ZodMiniType>(row: T) => z.object({ start: number, total: number, rows: z.array(row) });

export const TensorsAnswer = rows(TensorRowAnswer);
/** Place of a tensor in a selection; -1 where the selection leaves it out. */
export const FindAnswer = z.object({ row: number });
export const MetadataRowAnswer = z.object({
  index: number,
  key: z.string(),
  type: z.string(),
  preview: z.string(),
  more: z.boolean(),
});
export type MetadataRowAnswer = z.infer<typeof MetadataRowAnswer>;
export const MetadataAnswer = rows(MetadataRowAnswer);
/** Elements of an array, or one element that is the text. */
export const ValueAnswer = z.object({
  start: number,
  total: number,
  rows: z.array(z.string()),
  isText: z.boolean(),
  cut: z.boolean(),
});
export type ValueAnswer = z.infer<typeof ValueAnswer>;
export const VocabularyRowAnswer = z.object({
  id: number,
  text: z.string(),
  stored: z.string(),
  kind: z.enum(TOKEN_KINDS),
  score: optionalNumber,
});
export type VocabularyRowAnswer = z.infer<typeof VocabularyRowAnswer>;
export const VocabularyAnswer = z.object({
  start: number,
  total: number,
  rows: z.array(VocabularyRowAnswer),
  model: z.string(),
  pre: z.string(),
  merges: number,
  kinds: z.array(z.object({ kind: z.enum(TOKEN_KINDS), count: number })),
  refusal: optionalText,
  special: z.array(z.object({ role: z.string(), id: number, text: z.string() })),
});
export type VocabularyAnswer = z.infer<typeof VocabularyAnswer>;
export const TokenAnswer = z.object({ id: number, text: z.string(), kind: z.enum(TOKEN_KINDS), added: z.boolean() });
export type TokenAnswer = z.infer<typeof TokenAnswer>;
export const TokeniseAnswer = z.object({ tokens: z.array(TokenAnswer), total: number, refusal: optionalText });
export type TokeniseAnswer = z.infer<typeof TokeniseAnswer>;
export const TemplatesAnswer = z.object({
  templates: z.array(z.object({ name: z.string(), text: z.string(), cut: z.boolean(), format: z.string() })),
  warnings: z.array(z.string()),
});
export type TemplatesAnswer = z.infer<typeof TemplatesAnswer>;
/** The TEMPLATE of Ollama that does the same; without `text` there is none. */
export const GoTemplateAnswer = z.object({
  text: optionalText,
  title: z.string(),
  exact: z.boolean(),
  notes: z.array(z.string()),
  stops: z.array(z.string()),
});
export type GoTemplateAnswer = z.infer<typeof GoTemplateAnswer>;
export const AdapterCell = z.object({
  layer: number,
  module: z.string(),
  name: z.string(),
  rank: number,
  scale: number,
  delta: optionalNumber,
  ratio: optionalNumber,
  problem: optionalText,
});
export type AdapterCell = z.infer<typeof AdapterCell>;
export const AdapterAnswer = z.object({
  facts: z.array(z.object({ label: z.string(), value: z.string() })),
  cells: z.array(AdapterCell),
  notes: z.array(z.string()),
  base: optionalText,
  measured: number,
  modules: number,
});
export type AdapterAnswer = z.infer<typeof AdapterAnswer>;
export const ProblemRowAnswer = z.object({ code: z.string(), message: z.string(), tensor: optionalNumber });
export type ProblemRowAnswer = z.infer<typeof ProblemRowAnswer>;
export const ProblemsAnswer = z.object({ start: number, total: number, rows: z.array(ProblemRowAnswer), more: number });
export type ProblemsAnswer = z.infer<typeof ProblemsAnswer>;
export const CompareAnswer = z.object({
  name: z.string(),
  other: z.string(),
  otherHeadline: z.array(z.string()),
  metadata: z.object({ same: number, different: number, onlyHere: number, onlyThere: number }),
  tensors: z.object({ same: number, different: number, onlyHere: number, onlyThere: number }),
});
export type CompareAnswer = z.infer<typeof CompareAnswer>;
export const DifferenceRowAnswer = z.object({
  index: number,
  name: z.string(),
  kind: z.enum(['same', 'different', 'onlyHere', 'onlyThere']),
  here: z.string(),
  there: z.string(),
});
export type DifferenceRowAnswer = z.infer<typeof DifferenceRowAnswer>;
export const DifferencesAnswer = rows(DifferenceRowAnswer);
export const ValuesAnswer = z.object({ text: z.string() });

/** The shape of every answer, by its question. */
export const ANSWERS = {
  summary: SummaryAnswer,
  origin: OriginAnswer,
  tensors: TensorsAnswer,
  find: FindAnswer,
  metadata: MetadataAnswer,
  value: ValueAnswer,
  vocabulary: VocabularyAnswer,
  tokenise: TokeniseAnswer,
  templates: TemplatesAnswer,
  goTemplate: GoTemplateAnswer,
  adapter: AdapterAnswer,
  problems: ProblemsAnswer,
  differences: DifferencesAnswer,
  values: ValuesAnswer,
  compare: CompareAnswer,
  json: z.object({ text: z.string() }),
} as const;
export type AnswerOf<K extends keyof typeof ANSWERS> = z.infer<(typeof ANSWERS)[K]>;

/** What the page tells the editor. */
export const PageMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('ask'), id: index, question: PageQuestion }),
  z.object({ kind: z.literal('cancel'), id: index }),
  z.object({ kind: z.literal('painted'), milliseconds: number }),
  z.object({ kind: z.literal('do'), action: z.enum(['copyJson', 'compare', 'quantise', 'reload', 'chooseBase']) }),
  z.object({ kind: z.literal('copy'), text: z.string().check(z.maxLength(2_000_000)) }),
]);
export type PageMessage = z.infer<typeof PageMessage>;

/** What the editor tells the page. */
export const EditorMessage = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('start'),
    name: z.string(),
    strings: z.record(z.string(), z.string()),
    trusted: z.boolean(),
  }),
  z.object({ kind: z.literal('summary'), summary: SummaryAnswer }),
  z.object({ kind: z.literal('failed'), error: ErrorAnswer }),
  z.object({ kind: z.literal('answer'), id: number, answer: z.unknown() }),
  z.object({ kind: z.literal('refused'), id: number, error: ErrorAnswer }),
  z.object({ kind: z.literal('changed') }),
  z.object({ kind: z.literal('comparing'), other: z.string() }),
  /** `fresh`: it was asked for just now, and is to be seen. */
  z.object({ kind: z.literal('compared'), result: CompareAnswer, fresh: z.boolean() }),
  z.object({ kind: z.literal('adapter'), result: AdapterAnswer }),
  z.object({ kind: z.literal('note'), text: z.string(), isError: z.boolean() }),
]);
export type EditorMessage = z.infer<typeof EditorMessage>;
