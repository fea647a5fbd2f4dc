/** A chat format that models come with, by the markers that it is written in. */
export interface MarkerFamily {
  /** As people call it: `ChatML`. */
  readonly name: string;
  /** Markers that are tokens of their own in models of this format. */
  readonly tokens: readonly string[];
  /** Those of them, or plain texts, that end a turn. */
  readonly ends: readonly string[];
  /** Markers that models of this format may have in their vocabulary or may spell out. */
  readonly texts?: readonly string[];
}

export const MARKER_FAMILIES: readonly MarkerFamily[] = [
  { name: 'ChatML', tokens: ['<|im_start|>', '<|im_end|>'], ends: ['<|im_end|>'] },
  {
    name: 'Llama 3',
    tokens: ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>', '<|eom_id|>'],
    ends: ['<|eot_id|>', '<|eom_id|>'],
  },
  { name: 'Llama 4', tokens: ['<|header_start|>', '<|header_end|>', '<|eot|>', '<|eom|>'], ends: ['<|eot|>'] },
  { name: 'Gemma', tokens: ['<start_of_turn>', '<end_of_turn>'], ends: ['<end_of_turn>'] },
  { name: 'Gemma 4', tokens: ['<|turn>', '<turn|>'], ends: ['<turn|>'] },
  {
    name: 'Command R',
    tokens: [
      '<|START_OF_TURN_TOKEN|>',
      '<|END_OF_TURN_TOKEN|>',
      '<|USER_TOKEN|>',
      '<|CHATBOT_TOKEN|>',
      '<|SYSTEM_TOKEN|>',
    ],
    ends: ['<|END_OF_TURN_TOKEN|>'],
  },
  {
    name: 'DeepSeek',
    tokens: ['<｜User｜>', '<｜Assistant｜>', '<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>'],
    ends: ['<｜end▁of▁sentence｜>'],
  },
  {
    name: 'Granite',
    tokens: ['<|start_of_role|>', '<|end_of_role|>'],
    ends: ['<|end_of_text|>'],
  },
  {
    name: 'harmony (gpt-oss)',
    tokens: ['<|start|>', '<|message|>', '<|channel|>', '<|return|>', '<|call|>'],
    ends: ['<|return|>', '<|call|>', '<|end|>'],
  },
  { name: 'EXAONE', tokens: ['[|user|]', '[|assistant|]', '[|system|]', '[|endofturn|]'], ends: ['[|endofturn|]'] },
  { name: 'OpenChat', tokens: ['<|end_of_turn|>'], ends: ['<|end_of_turn|>'] },
  {
    name: 'Phi-3 or Zephyr',
    tokens: [],
    ends: ['<|end|>', '<|endoftext|>', '</s>'],
    texts: ['<|system|>', '<|user|>', '<|assistant|>'],
  },
  {
    name: 'Llama 2 or Mistral',
    tokens: [],
    ends: ['</s>'],
    texts: ['[INST]', '[/INST]', '<<SYS>>', '<</SYS>>', '[SYSTEM_PROMPT]', '[/SYSTEM_PROMPT]'],
  },
];

/** Texts that end a turn, or the text, in some family and open nothing in any. */
export const END_MARKERS: ReadonlySet<string> = new Set([
  ...MARKER_FAMILIES.flatMap(({ ends }) => ends),
  '<eos>',
  '<|EOT|>',
  '<|eos|>',
  '<|endofturn|>',
  '<|end_of_text|>',
  '</assistant>',
  '<end_of_utterance>',
  '<|stop|>',
]);

/** Markers of completion in the middle of a text (FIM). */
const FIM =
  /^(?:<[|｜]?(?:fim|FIM)[_▁][a-z▁]+[|｜]?>|<(?:PRE|SUF|MID|EOT)>|\[(?:PREFIX|SUFFIX|MIDDLE)\]|<\|(?:file_sep|file_separator|repo_name)\|>)$/u;

export function isFimMarker(marker: string): boolean {
  return FIM.test(marker);
}

/** Markers that begin a text, before any turn. */
export const BEGIN_MARKERS: ReadonlySet<string> = new Set([
  '<s>',
  '<bos>',
  '<|begin_of_text|>',
  '<|startoftext|>',
  '<｜begin▁of▁sentence｜>',
  '<|begin_of_sentence|>',
  '[gMASK]',
  '<sop>',
  '<BOS_TOKEN>',
  '<|beginoftext|>',
]);

/** Markers as models have them: `<|im_end|>`, `</s>`, `<end_of_turn>`, `[INST]`. */
const MARKER =
  /<\|[^|<>\s]{1,60}\|?>|<<\/?[A-Z]{2,20}>>|<\/?[A-Za-z_｜][^<>\s]{0,60}>|\[\/?[A-Z_]{2,30}\]|\[\|[a-z]{2,30}\|\]/gu;

/** Every marker of a text, in order. */
export function markersIn(text: string): readonly string[] {
  return text.match(MARKER) ?? [];
}

export function looksLikeToken(text: string): boolean {
  return markersIn(text)[0] === text;
}

const FAMILY_OF: ReadonlyMap<string, MarkerFamily> = new Map(
  MARKER_FAMILIES.flatMap((family) => family.tokens.map((token) => [token, family] as const)),
);

/** The family whose models have the marker as a token; undefined for what several families have, or none. */
export function familyOf(marker: string): MarkerFamily | undefined {
  return FAMILY_OF.get(marker);
}
