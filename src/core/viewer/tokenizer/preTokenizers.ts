/** How llama.cpp cuts a text before byte pair encoding. */
export interface PreTokenizerRules {
  /** Applied one after the other, each to the pieces that the one before left. */
  readonly splits: readonly RegExp[];
  /** A piece that is a token itself is taken as it is, whatever the merges say. */
  readonly ignoreMerges?: true;
  /** BOS comes first, unless the file says otherwise. */
  readonly addBos?: true;
  /** Pieces are UTF-8 themselves, with U+2581 for spaces, not GPT-2's byte alphabet. */
  readonly raw?: true;
}

const CONTRACTIONS = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`;
const words = (digits: string): string =>
  String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`;
const LLAMA3 = words(String.raw`\p{N}{1,3}`);
const QWEN2 = words(String.raw`\p{N}`);
const CJK = '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+';
const ASCII_PUNCTUATION = String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + '`' + String.raw`\x7b|}~]`;
const DEEPSEEK3 = String.raw`${ASCII_PUNCTUATION}[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${SPACES}`;
/** llama.cpp tells capitals from small letters in ASCII alone here: any other letter is both. */
const CASED = (suffix: string, digits: string): string =>
  String.raw`[^\r\n\p{L}\p{N}]?(?:(?=\p{L})[^a-z])*(?:(?=\p{L})[^A-Z])+${suffix}|[^\r\n\p{L}\p{N}]?(?:(?=\p{L})[^a-z])+(?:(?=\p{L})[^A-Z])*${suffix}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`;
/** llama.cpp takes white space for something else before it matches this. */
const WIDE = String.raw`(?:(?!\s)[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff])+`;
const BLOOM = ' ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+';

/** White space is Unicode's, which is not quite JavaScript's. */
const all = (...sources: readonly string[]): readonly RegExp[] =>
  sources.map(
    (source) => new RegExp(source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), 'gu'),
  );

/** Names that share their rules, by the rules. */
const RULES: readonly (readonly [readonly string[], PreTokenizerRules])[] = [
  [
    ['llama3', 'llama-v3', 'llama-bpe', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2', 'jina-v5-nano'],
    { splits: all(LLAMA3), ignoreMerges: true, addBos: true },
  ],
  [['dbrx', 'smaug-bpe', 'glm4', 'chatglm-bpe'], { splits: all(LLAMA3) }],
  [
    ['qwen2', 'deepseek-r1-qwen', 'kormo', 'f2llmv2', 'megrez', 'stablelm2', 'hunyuan', 'solar-open', 'grok-2'],
    { splits: all(QWEN2) },
  ],
  [
    ['qwen35'],
    {
      splits: all(
        String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${SPACES}`,
      ),
    },
  ],
  [
    [
      'gpt-2',
      'phi-2',
      'jina-es',
      'jina-de',
      'gigachat',
      'jina-v2-es',
      'jina-v2-de',
      'a.x-4.0',
      'mellum',
      'modern-bert',
      'jina-v1-en',
      'jina-v2-code',
      'roberta-bpe',
      'exaone4',
      'mpt',
      'olmo',
      'jais',
      'trillion',
      'granite-docling',
    ],
    { splits: all(GPT2) },
  ],
  [
    ['starcoder', 'refact', 'command-r', 'smollm', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    { splits: all(String.raw`\p{N}`, GPT2) },
  ],
  [['falcon'], { splits: all(String.raw`[\p{P}$+<=>^~|` + '`' + ']+', GPT2, '[0-9][0-9][0-9]') }],
  [['deepseek-v3', 'hunyuan-dense', 'joyai-llm', 'hy_v4'], { splits: all(String.raw`\p{N}{1,3}`, CJK, DEEPSEEK3) }],
  [
    ['deepseek-coder'],
    { splits: all(String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, WIDE, String.raw`\p{N}`) },
  ],
  [['tekken'], { splits: all(CASED('', String.raw`\p{N}`)), ignoreMerges: true, addBos: true }],
  [
    ['gpt-4o', 'llama4', 'kanana2', 'talkie', 'minimax-m2'],
    { splits: all(CASED(`(?:${CONTRACTIONS})?`, String.raw`\p{N}{1,3}`)) },
  ],
  [['poro-chat', 'bloom', 'gpt3-finnish'], { splits: all(BLOOM) }],
  [['viking'], { splits: all(BLOOM, String.raw`\p{N}`) }],
  [
    ['bailingmoe', 'bailingmoe2', 'llada-moe'],
    {
      splits: all(
        String.raw`'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
      ),
    },
  ],
  [
    ['seed-coder'],
    { splits: all(String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|${SPACES}`) },
  ],
  [['ufakzeka'], { splits: all(String.raw`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`) }],
  [['laguna'], { splits: all(String.raw`[^\n]+|[\n]+`, QWEN2) }],
  [['minicpm5'], { splits: all(String.raw`\p{N}{1,3}`, words(String.raw`\p{N}+`)), ignoreMerges: true }],
  [['gemma4', 'granite-embed-multi-311m'], { splits: all(String.raw`[^\n]+|[\n]+`), raw: true, addBos: true }],
  [['sarvam-moe'], { splits: all(String.raw`[^\n]+|[\n]+`), raw: true }],
  [['default', ''], { splits: all(String.raw`[\p{P}$+<=>^~|]+`, GPT2, String.raw`\p{N}+`, '[0-9][0-9][0-9]') }],
];

const BY_NAME = new Map(RULES.flatMap(([names, rules]) => names.map((name) => [name, rules] as const)));

/**
 * The rules behind a name in `tokenizer.ggml.pre` (src/llama-vocab.cpp of llama.cpp v0.5.0); undefined for one that is not
 * reproduced here, where no tokens are better than wrong ones.
 */
export function preTokenizerRules(name: string): PreTokenizerRules | undefined {
  return BY_NAME.get(name);
}

/** Cuts a text by every split in turn; matches and what lies between them are both pieces. */
export function splitText(text: string, splits: readonly RegExp[]): string[] {
  let pieces = [text];
  for (const split of splits) {
    pieces = pieces.flatMap((piece) => cut(piece, split));
  }
  return pieces;
}

function cut(text: string, split: RegExp): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const match of text.matchAll(split)) {
    if (match.index > from) {
      pieces.push(text.slice(from, match.index));
    }
    if (match[0] !== '') {
      pieces.push(match[0]);
    }
    from = match.index + match[0].length;
  }
  if (from < text.length) {
    pieces.push(text.slice(from));
  }
  return pieces;
}
