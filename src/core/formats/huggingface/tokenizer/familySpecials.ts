import { StudioError } from '../../../errors';
import type { Json } from '../../../json';
import { bool, type GgufEntry, u32 } from '../../gguf/ggufValue';
import type { TokenizerFiles } from '../huggingFaceModel';
import type { TokenizerMetadataOptions } from './tokenizerMetadataOptions';
import type { Vocabulary } from './vocabulary';
import type { VocabularyRules } from './vocabularyRules';

/** Special tokens by kind and text, where the files of a family do not name them. */
const TEXTS: Partial<Readonly<Record<VocabularyRules, readonly (readonly [kind: string, text: string])[]>>> = {
  glm4: [
    ['eos', '<|endoftext|>'],
    ['eot', '<|user|>'],
    ['unk', '<|endoftext|>'],
    ['bos', '<|endoftext|>'],
  ],
  glm: [
    ['bos', '[gMASK]'],
    ['eot', '<|user|>'],
    ['unk', '<|endoftext|>'],
    ['eom', '<|observation|>'],
  ],
};

/** llama.cpp's name for a split, where it has one of its own for a family. */
export function familyPreTokenizer(rules: VocabularyRules, pre: string): string {
  return (rules === 'glm4' || rules === 'glm') && pre === 'smaug-bpe' ? 'glm4' : pre;
}

/** Those that `known` lacks. @throws StudioError tokenizer/invalid where the vocabulary has no such token */
export function specialsByText(
  rules: VocabularyRules,
  vocabulary: Vocabulary,
  known: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [kind, text] of TEXTS[rules] ?? []) {
    const id = vocabulary.tokens.indexOf(text);
    if (id < 0) {
      throw new StudioError(
        'tokenizer/invalid',
        `The tokenizer has no token ${text}, which every model of this family ends or begins its turns with. Use the tokenizer files of the model itself.`,
        { detail: { text } },
      );
    }
    if (!known.has(kind)) {
      found.set(kind, id);
    }
  }
  return found;
}

/** `<|bos|>` of Hunyuan-A13B. */
const HUNYUAN_BOS = 127_959;

/** What a family's converter sets after everything else: keys that are there keep their places. */
export function familySpecials(
  files: TokenizerFiles,
  { rules, rows, config, generationConfig }: TokenizerMetadataOptions,
): GgufEntry[] {
  switch (rules) {
    case 'ernie': {
      const prefix = files.tokenizerConfig?.['add_prefix_space'];
      return typeof prefix === 'boolean' ? [['tokenizer.ggml.add_space_prefix', bool(prefix)]] : [];
    }
    case 'hunyuan': {
      const eod = tokenId(config['eod_token_id']);
      const eos: unknown = generationConfig?.['eos_token_id'];
      const turn = Array.isArray(eos) && eos.length >= 2 ? tokenId(eos[0] as Json) : undefined;
      return [
        ...(eod === undefined ? [] : [['tokenizer.ggml.eos_token_id', u32(eod)] as const]),
        ...(turn === undefined ? [] : [['tokenizer.ggml.eot_token_id', u32(turn)] as const]),
      ];
    }
    case 'hunyuanMoe':
      return rows > HUNYUAN_BOS ? [['tokenizer.ggml.bos_token_id', u32(HUNYUAN_BOS)]] : [];
    case 'nemotron':
      return [
        ['tokenizer.ggml.padding_token_id', u32(0)],
        ['tokenizer.ggml.unknown_token_id', u32(1)],
      ];
    case 'nemotronH':
      return [['tokenizer.ggml.add_bos_token', bool(true)]];
    default:
      return [];
  }
}

function tokenId(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : undefined;
}
