import { isJsonObject, type Json, type JsonObject } from '../../../json';
import { bool, type GgufEntry, u32 } from '../../gguf/ggufValue';

type TokenKind = string;

/** Special ids and flags of a tokenizer, as `gguf.SpecialVocab` of the converter finds them. */
export interface SpecialVocabulary {
  /** In the order of discovery, which is the order in the file. */
  readonly ids: ReadonlyMap<TokenKind, number>;
  /** `add_bos_token` and the like. */
  readonly adds: ReadonlyMap<TokenKind, boolean>;
  readonly normalizer: { readonly lowercase?: boolean | undefined; readonly stripAccents?: boolean | undefined };
}

export interface SpecialVocabularySource {
  readonly tokenizerJson?: JsonObject | undefined;
  readonly tokenizerConfig?: JsonObject | undefined;
  /** config.json as it stands, without class defaults. */
  readonly config: JsonObject;
  /** Ids from here on are left out; undefined: no limit. */
  readonly rows?: number | undefined;
  readonly kinds?: readonly TokenKind[] | undefined;
}

const KINDS: readonly TokenKind[] = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'];

/** What the writer has keys for; the others (`cls`, `prefix`, …) go nowhere. */
const ID_KEYS: Readonly<Record<string, string>> = {
  bos: 'bos_token_id',
  eos: 'eos_token_id',
  unk: 'unknown_token_id',
  sep: 'seperator_token_id',
  pad: 'padding_token_id',
  mask: 'mask_token_id',
  eot: 'eot_token_id',
  eom: 'eom_token_id',
};
const ADD_KEYS: Readonly<Record<string, string>> = { bos: 'add_bos_token', eos: 'add_eos_token', sep: 'add_sep_token' };

/**
 * Special ids: the strings of tokenizer_config.json looked up among tokenizer.json's added tokens, then the numbers of
 * config.json; the first hit of each kind wins. Whether BOS, EOS and separator are added: from the post-processor, overruled by
 * tokenizer_config.json. Negative ids (Llama 1 and 2 configs pad with -1) are left out.
 */
export function readSpecialVocabulary(source: SpecialVocabularySource): SpecialVocabulary {
  const state = new State(source);
  if (source.tokenizerJson !== undefined) {
    state.readPostProcessor(source.tokenizerJson);
    state.readNormalizer(source.tokenizerJson['normalizer'], 0);
  }
  state.readTokenizerConfig(source.tokenizerJson?.['added_tokens']);
  state.readConfig(source.config);
  return {
    ids: state.ids,
    adds: state.adds,
    normalizer: { lowercase: state.lowercase, stripAccents: state.stripAccents },
  };
}

/** The entries of ids and flags, in the converter's order; the chat template goes between these and the normaliser's. */
export function specialEntries(special: SpecialVocabulary): GgufEntry[] {
  return [
    ...[...special.ids].flatMap(([kind, id]): GgufEntry[] =>
      kind in ID_KEYS ? [[`tokenizer.ggml.${ID_KEYS[kind]!}`, u32(id)]] : [],
    ),
    ...[...special.adds].flatMap(([kind, value]): GgufEntry[] =>
      kind in ADD_KEYS ? [[`tokenizer.ggml.${ADD_KEYS[kind]!}`, bool(value)]] : [],
    ),
  ];
}

/** Flags of `Lowercase`, `StripAccents` and `BertNormalizer`. */
export function normalizerEntries({ normalizer }: SpecialVocabulary): GgufEntry[] {
  return [
    ...(normalizer.lowercase === undefined
      ? []
      : [['tokenizer.ggml.normalizer.lowercase', bool(normalizer.lowercase)] as const]),
    ...(normalizer.stripAccents === undefined
      ? []
      : [['tokenizer.ggml.normalizer.strip_accents', bool(normalizer.stripAccents)] as const]),
  ];
}

class State {
  readonly ids = new Map<TokenKind, number>();
  readonly adds = new Map<TokenKind, boolean>();
  lowercase: boolean | undefined;
  stripAccents: boolean | undefined;
  /** Undefined stands for no file and for an empty one alike. */
  private readonly config: Map<string, Json | undefined> | undefined;
  private readonly rows: number;
  private kinds: readonly TokenKind[];
  private bos: Json | undefined;
  private cls: Json | undefined;
  private eos: Json | undefined;
  private sep: Json | undefined;

  constructor(source: SpecialVocabularySource) {
    const entries = Object.entries(source.tokenizerConfig ?? {});
    this.config = entries.length === 0 ? undefined : new Map(entries);
    this.rows = source.rows ?? Number.MAX_SAFE_INTEGER;
    this.kinds = source.kinds ?? KINDS;
  }

  readPostProcessor(tokenizerJson: JsonObject): void {
    this.bos = this.config?.get('bos_token');
    this.cls = this.config?.get('cls_token');
    this.eos = this.config?.get('eos_token');
    this.sep = this.config?.get('sep_token');
    if (!truthy(this.bos) && truthy(this.cls)) {
      this.bos = this.define('bos_token', this.cls);
    }
    if (!truthy(this.eos) && truthy(this.sep)) {
      this.eos = this.define('eos_token', this.sep);
    }
    const post = tokenizerJson['post_processor'];
    if (!isJsonObject(post)) {
      return;
    }
    const processors = post['processors'];
    for (const processor of Array.isArray(processors) ? (processors as readonly Json[]) : [post]) {
      if (isJsonObject(processor) && processor['type'] === 'RobertaProcessing') {
        this.readRoberta(processor);
      } else if (isJsonObject(processor) && processor['type'] === 'TemplateProcessing') {
        this.readTemplate(processor);
      }
    }
  }

  private define(key: string, value: Json | undefined): Json | undefined {
    this.config?.set(key, value);
    return value;
  }

  private readRoberta(processor: JsonObject): void {
    for (const kind of ['bos', 'eos', 'sep']) {
      this.adds.set(kind, true);
    }
    if (!truthy(this.cls)) {
      this.cls = this.define('cls_token', firstOf(processor['cls']) ?? this.bos);
    }
    if (!truthy(this.sep)) {
      this.sep = this.define('sep_token', firstOf(processor['sep']) ?? this.eos);
    }
  }

  private readTemplate(processor: JsonObject): void {
    const single = items(processor['single']);
    const first = single.length > 1 ? specialId(single[0]) : undefined;
    const last = single.length > 1 ? specialId(single.at(-1)) : undefined;
    if (first !== undefined) {
      this.leading(first);
    }
    if (last !== undefined) {
      this.trailing(last);
    }
    this.readPair(items(processor['pair']), first, last);
  }

  private leading(first: string): void {
    if (this.config === undefined) {
      this.bos = first;
    } else if (first !== this.bos && first !== this.cls) {
      if (!truthy(this.bos)) {
        this.bos = this.define('bos_token', first);
      }
      if (!truthy(this.cls)) {
        this.cls = this.define('cls_token', first);
      }
    }
    this.adds.set('bos', first === this.bos || first === this.cls);
  }

  /** A template that ends in another token than EOS makes that one EOS, and the old one end-of-turn or end-of-message. */
  private trailing(last: string): void {
    if (this.config === undefined) {
      this.eos = last;
    } else if (last !== this.eos) {
      const spare = ['eot', 'eom'].find((kind) => !this.kinds.includes(kind));
      if (spare !== undefined) {
        this.kinds = [...this.kinds, spare];
        this.define(`${spare}_token`, this.eos);
      }
      this.eos = this.define('eos_token', last);
    }
    this.adds.set('eos', last === this.eos);
  }

  private readPair(pair: readonly Json[], first: string | undefined, last: string | undefined): void {
    const start = first !== undefined && specialId(pair[0]) === first ? 1 : 0;
    const stop = last !== undefined && specialId(pair.at(-1)) === last ? -1 : undefined;
    const inner = pair.slice(start, stop);
    if (inner.length === 0 || sequenceId(inner[0]) !== 'A' || sequenceId(inner.at(-1)) !== 'B') {
      return;
    }
    const middle = inner.slice(1, -1);
    if (middle.length === 0) {
      return;
    }
    const separates = (item: Json | undefined): boolean => {
      const id = specialId(item);
      return id !== undefined && (id === this.sep || id === this.eos);
    };
    const add = (separates(middle[0]) && last === undefined) || (middle.length === 2 && separates(middle[1]));
    this.adds.set('sep', add);
    if (add && !truthy(this.sep)) {
      this.define('sep_token', this.eos);
    }
  }

  readNormalizer(normalizer: Json | undefined, depth: number): void {
    if (!isJsonObject(normalizer) || depth > 20) {
      return;
    }
    const type = normalizer['type'];
    if (type === 'Lowercase') {
      this.lowercase = true;
    } else if (type === 'StripAccents') {
      this.stripAccents = true;
    } else if (type === 'BertNormalizer') {
      this.lowercase = typeof normalizer['lowercase'] === 'boolean' ? normalizer['lowercase'] : this.lowercase;
      this.stripAccents =
        typeof normalizer['strip_accents'] === 'boolean' ? normalizer['strip_accents'] : this.stripAccents;
    } else if (type === 'Sequence') {
      items(normalizer['normalizers']).forEach((inner) => this.readNormalizer(inner, depth + 1));
    }
  }

  readTokenizerConfig(addedTokens: Json | undefined): void {
    if (this.config === undefined) {
      return;
    }
    const added = items(addedTokens);
    for (const kind of this.kinds) {
      const add = this.config.get(`add_${kind}_token`);
      if (typeof add === 'boolean') {
        this.adds.set(kind, add);
      }
      const entry = this.config.get(`${kind}_token`);
      const content = isJsonObject(entry) ? entry['content'] : entry;
      if (typeof content === 'string') {
        const found = added.find((token) => isJsonObject(token) && token['content'] === content);
        this.setId(kind, isJsonObject(found) ? found['id'] : undefined);
      }
    }
  }

  readConfig(config: JsonObject): void {
    const nested = config['text_config'];
    for (const kind of this.kinds) {
      const key = `${kind}_token_id`;
      this.setId(kind, config[key] ?? (isJsonObject(nested) ? nested[key] : undefined));
    }
  }

  private setId(kind: TokenKind, id: Json | undefined): void {
    if (
      typeof id === 'number' &&
      Number.isInteger(id) &&
      id >= 0 &&
      id < this.rows &&
      id < 2 ** 32 &&
      !this.ids.has(kind)
    ) {
      this.ids.set(kind, id);
    }
  }
}

function items(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function firstOf(value: Json | undefined): Json | undefined {
  return items(value)[0];
}

/** As Python sees it: absent, null, empty and 0 are false. */
function truthy(value: Json | undefined): boolean {
  return isJsonObject(value) ? Object.keys(value).length > 0 : Boolean(value);
}

function idOf(item: Json | undefined, key: string): string | undefined {
  const inner = isJsonObject(item) ? item[key] : undefined;
  const id = isJsonObject(inner) ? inner['id'] : undefined;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function specialId(item: Json | undefined): string | undefined {
  return idOf(item, 'SpecialToken');
}

function sequenceId(item: Json | undefined): string | undefined {
  return idOf(item, 'Sequence');
}
