import { StudioError } from '../../errors';
import { isJsonObject, type Json, type JsonObject } from '../../json';
import { compilePythonPattern, type PythonPattern } from './pythonPattern';

/** What the scale of one module follows from. */
export interface PeftModule {
  readonly rank: number;
  readonly alpha: number;
  /** alpha / rank, or alpha / sqrt(rank) with rank stabilisation. */
  readonly scale: number;
}

/** `adapter_config.json` of PEFT as far as it matters for a merge. */
export interface PeftSettings {
  readonly useDora: boolean;
  readonly useRslora: boolean;
  readonly baseName?: string | undefined;
  /** Row numbers of trainable tokens by the embedding's module name; `''` where the config has a plain list. */
  readonly trainableTokens: ReadonlyMap<string, readonly number[]>;
  /**
   * Rank, alpha and scale of the module at this path (without PEFT's own prefix), by patterns and defaults; of its weight, where
   * that was trained as a parameter (`target_parameters`), which is what patterns are matched against then.
   */
  module(path: string): PeftModule;
}

export interface PeftConfigAnswer {
  readonly settings: PeftSettings;
  readonly refusals: readonly StudioError[];
}

/** Keys that change how an adapter was trained or is loaded, not what it adds (PEFT 0.21 and before, ms-swift's fork). */
const NO_EFFECT = new Set([
  'peft_type',
  'peft_version',
  'auto_mapping',
  'task_type',
  'inference_mode',
  'base_model_name_or_path',
  'revision',
  'lora_dropout',
  'target_modules',
  'exclude_modules',
  'layers_to_transform',
  'layers_pattern',
  'modules_to_save',
  'modules_to_tie',
  'ensure_weight_tying',
  'eva_config',
  'corda_config',
  'lora_ga_config',
  'loftq_config',
  'velora_config',
  'monteclora_config',
  'runtime_config',
  'megatron_core',
  'qalora_group_size',
  'lora_dtype',
  'lorap_lr_ratio',
  'swift_type',
]);

/** Keys that are read here. */
const READ = new Set([
  'r',
  'lora_alpha',
  'use_rslora',
  'rank_pattern',
  'alpha_pattern',
  'fan_in_fan_out',
  'use_dora',
  'bias',
  'lora_bias',
  'target_parameters',
  'trainable_token_indices',
  'init_lora_weights',
]);

/** Variants whose result is not base + scale * B @ A, with what they do instead. */
const VARIANTS: Readonly<Record<string, string>> = {
  layer_replication:
    'it repeats layers of its base, so the result has other layers than the base. Build the replicated model with PEFT (merge_and_unload, save_pretrained) and pass that folder as the base',
  alora_invocation_tokens:
    'it is an activated LoRA, which works only after its invocation tokens and so cannot be merged. Run it with PEFT or vLLM, or train a plain LoRA',
  use_qalora:
    'QA-LoRA pools its inputs before the factors. Merge it with the tool that trained it and pass the merged folder as the base',
  kasa_config:
    'KaSA truncates the singular values of its base and adds a diagonal. Merge it with PEFT (merge_and_unload) and pass the merged folder as the base',
  use_bdlora:
    'BD-LoRA keeps its factors block-diagonal. Merge it with PEFT (merge_and_unload) and pass the merged folder as the base',
  arrow_config:
    'Arrow chooses among several adapters for each token, so it cannot be merged. Pass one of its adapters alone',
  megatron_config:
    "it was trained on Megatron's parallel layers, where each file holds a part of the factors. Export it to Hugging Face format with the tool that trained it",
};

/** `init_lora_weights` that leave the base as it was. */
const PLAIN_INITIALISATIONS = new Set(['true', 'false', 'gaussian', 'eva', 'orthogonal', 'mica']);
/** `init_lora_weights` that subtract something from the base before training. */
const MUTATING_INITIALISATIONS: readonly (readonly [RegExp, string])[] = [
  [/^pissa(?:_niter_\d+)?$/, 'PiSSA'],
  [/^olora$/, 'OLoRA'],
  [/^corda$/, 'CorDA'],
  [/^loftq$/, 'LoftQ'],
  [/^lora_ga$/, 'LoRA-GA'],
];

/**
 * Reads the keys that decide what a PEFT adapter adds to its base. What cannot be merged becomes a refusal that says
 * why and what to do; the settings are usable all the same, so that the adapter can be described.
 */
export function readPeftConfig(config: JsonObject, path: string): PeftConfigAnswer {
  const reader = new ConfigReader(config, path);
  reader.checkType();
  reader.checkVariants();
  reader.checkInitialisation();
  reader.checkBias();
  return { settings: reader.settings(), refusals: reader.refusals };
}

class ConfigReader {
  readonly refusals: StudioError[] = [];
  constructor(
    private readonly config: JsonObject,
    private readonly path: string,
  ) {}

  checkType(): void {
    const type = this.config['peft_type'];
    if (type !== undefined && type !== null && type !== 'LORA') {
      this.refuse(
        'adapter/unsupported',
        `${this.path} is an adapter of type ${JSON.stringify(type)}; only LoRA and its variants can be merged here. Merge it with PEFT (merge_and_unload, save_pretrained) and pass the merged folder as the base.`,
        'peft_type',
      );
    }
  }

  checkVariants(): void {
    for (const [key, value] of Object.entries(this.config)) {
      if (!isTruthy(value) || NO_EFFECT.has(key) || READ.has(key)) {
        continue;
      }
      const reason = Object.hasOwn(VARIANTS, key)
        ? VARIANTS[key]!
        : `adapter_config.json sets ${JSON.stringify(key)}, which may change what the adapter adds and is not known here. Remove the key if it only concerned training, or merge with PEFT and pass the merged folder as the base`;
      this.refuse('adapter/unsupported', `${this.path} cannot be merged: ${reason}.`, key);
    }
  }

  checkInitialisation(): void {
    const value = this.config['init_lora_weights'];
    if (value === undefined || value === null || typeof value === 'boolean') {
      return;
    }
    const text = typeof value === 'string' ? value.toLowerCase() : JSON.stringify(value);
    const mutating = MUTATING_INITIALISATIONS.find(([pattern]) => pattern.test(text));
    if (mutating !== undefined) {
      this.refuse(
        'adapter/mutated-base',
        `${this.path} was initialised with ${mutating[1]} (init_lora_weights ${JSON.stringify(value)}), which changes the base before training: merged onto the original base it gives a wrong model. Save it again with path_initial_model_for_weight_conversion, which turns it into a plain LoRA, or merge it in the training script (merge_and_unload) and pass the merged folder as the base.`,
        'init_lora_weights',
      );
    } else if (!PLAIN_INITIALISATIONS.has(text)) {
      this.refuse(
        'adapter/unsupported',
        `${this.path} was initialised with ${JSON.stringify(value)}, which is not known here and may have changed the base. Merge it with PEFT (merge_and_unload) and pass the merged folder as the base.`,
        'init_lora_weights',
      );
    }
  }

  checkBias(): void {
    const bias = this.config['bias'] ?? 'none';
    if (bias !== 'none' && bias !== 'all' && bias !== 'lora_only') {
      this.refuse(
        'adapter/config',
        `${this.path}: bias is ${JSON.stringify(bias)}, where PEFT knows none, all and lora_only. Restore adapter_config.json as the training tool wrote it.`,
        'bias',
      );
    }
  }

  settings(): PeftSettings {
    // A key that is not there has PEFT's default; null has none: training with it would have failed.
    const rank = this.positive('r', this.config['r'] === undefined ? 8 : this.config['r'], true);
    const alpha = this.positive(
      'lora_alpha',
      this.config['lora_alpha'] === undefined ? 8 : this.config['lora_alpha'],
      false,
    );
    const ranks = this.patterns('rank_pattern', true);
    const alphas = this.patterns('alpha_pattern', false);
    const useRslora = this.config['use_rslora'] === true;
    const baseName = this.config['base_model_name_or_path'];
    const listed: unknown = this.config['target_parameters'];
    const parameters = Array.isArray(listed) ? (listed as readonly unknown[]) : [];
    const isParameter = (path: string): boolean =>
      parameters.some((name) => typeof name === 'string' && (path === name || path.endsWith(`.${name}`)));
    return {
      useDora: this.config['use_dora'] === true,
      useRslora,
      baseName: typeof baseName === 'string' && baseName !== '' ? baseName : undefined,
      trainableTokens: this.trainableTokens(),
      module: (module) => {
        const path = isParameter(`${module}.weight`) ? `${module}.weight` : module;
        const moduleRank = firstMatch(ranks, path) ?? rank;
        const moduleAlpha = firstMatch(alphas, path) ?? alpha;
        return {
          rank: moduleRank,
          alpha: moduleAlpha,
          scale: moduleAlpha / (useRslora ? Math.sqrt(moduleRank) : moduleRank),
        };
      },
    };
  }

  private patterns(key: string, integer: boolean): readonly (readonly [PythonPattern, number])[] {
    const table = this.config[key];
    if (table === undefined || table === null) {
      return [];
    }
    if (!isJsonObject(table)) {
      this.refuse(
        'adapter/config',
        `${this.path}: ${key} is not an object of patterns and numbers. Restore adapter_config.json as the training tool wrote it.`,
        key,
      );
      return [];
    }
    const list: (readonly [PythonPattern, number])[] = [];
    for (const [source, value] of Object.entries(table)) {
      // PEFT tries re.match(rf"(.*\.)?({key})$", path) and takes the first that matches, in the order of the file.
      const pattern = compilePythonPattern(`(.*\\.)?(${source})$`);
      if (pattern === undefined) {
        this.refuse(
          'adapter/config',
          `${this.path}: the pattern ${JSON.stringify(source)} of ${key} uses regular-expression syntax that is not understood here. Write it with module names, "." , "*", "|" and classes only.`,
          key,
        );
      } else {
        list.push([pattern, this.positive(`${key}[${JSON.stringify(source)}]`, value, integer)]);
      }
    }
    return list;
  }

  private positive(key: string, value: Json | undefined, integer: boolean): number {
    if (
      typeof value === 'number' &&
      Number.isFinite(value) &&
      (integer ? Number.isSafeInteger(value) && value > 0 : value >= 0)
    ) {
      return value;
    }
    this.refuse(
      'adapter/config',
      `${this.path}: ${key} is ${JSON.stringify(value)}, where a ${integer ? 'whole number above 0' : 'number of at least 0'} is needed. Restore adapter_config.json as the training tool wrote it.`,
      key,
    );
    return 8;
  }

  private trainableTokens(): ReadonlyMap<string, readonly number[]> {
    const value = this.config['trainable_token_indices'];
    const tables: [string, Json | undefined][] = isJsonObject(value)
      ? Object.entries(value)
      : value === undefined || value === null
        ? []
        : [['', value]];
    const rows = new Map<string, readonly number[]>();
    for (const [module, list] of tables) {
      if (isRowList(list)) {
        rows.set(module, list);
      } else {
        this.refuse(
          'adapter/config',
          `${this.path}: trainable_token_indices is not a list of different token numbers. Restore adapter_config.json as the training tool wrote it.`,
          'trainable_token_indices',
        );
      }
    }
    return rows;
  }

  private refuse(
    code: 'adapter/unsupported' | 'adapter/config' | 'adapter/mutated-base',
    message: string,
    key: string,
  ): void {
    this.refusals.push(new StudioError(code, message, { path: this.path, detail: { key, value: this.config[key] } }));
  }
}

function firstMatch(patterns: readonly (readonly [PythonPattern, number])[], path: string): number | undefined {
  return patterns.find(([pattern]) => pattern.matches(path))?.[1];
}

function isRowList(value: Json | undefined): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.every((row) => typeof row === 'number' && Number.isSafeInteger(row) && row >= 0) &&
    new Set(value).size === value.length
  );
}

/** Truth as Python has it: empty texts, lists and objects are false. */
function isTruthy(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') {
    return false;
  }
  return Array.isArray(value) ? value.length > 0 : !isJsonObject(value) || Object.keys(value).length > 0;
}
