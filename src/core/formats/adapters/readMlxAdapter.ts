import type { Note } from '../../note';
import { append } from '../../append';
import { StudioError } from '../../errors';
import { isJsonObject, type JsonObject } from '../../json';
import type { TensorRef } from '../tensorRef';
import type { Adapter, AdapterMethod, AdapterPart } from './adapter';
import { checkTensors, duplicateTargets, shapeText } from './adapterChecks';
import type { AdapterInput } from './adapterInput';
import { expertOfStack } from '../huggingface/tensorNames';
import { outerSlice } from '../tensorRef';
import { canonicalTensorName, moduleLeaf } from '../huggingface/tensorNames';

/** Tensors of one module with low-rank factors. */
interface MlxModule {
  a?: TensorRef;
  b?: TensorRef;
  m?: TensorRef;
}

/** Modules whose weight is looked up by row; mlx stores their factors the other way round, and a square shape cannot tell. */
const EMBEDDING = /^(?:embed_tokens|tok_embeddings|word_embeddings|embeddings?|embed_in|wte|wpe)$/;

/**
 * Reads an adapter of mlx-lm (0.32 and before; `mlx_lm/tuner`): LoRA, DoRA, or the whole weights of a full fine-tune.
 * `scale` is used as it is, never divided by the rank. Nothing is thrown: what cannot be merged stands in `refusals`.
 */
export function readMlxAdapter(input: AdapterInput): Adapter {
  const reader = new MlxReader(input);
  reader.read();
  const model = input.config['model'];
  return {
    path: input.path,
    weightsFile: input.weightsFile,
    directory: input.directory,
    format: 'mlx',
    method: reader.method,
    config: input.config,
    rank: reader.rank,
    alpha: undefined,
    scale: reader.method === 'full' ? undefined : reader.scale,
    targets: [...new Set(reader.parts.map((part) => moduleLeaf(part.target)))].sort(),
    baseName: typeof model === 'string' && model !== '' ? model : undefined,
    parts: reader.parts,
    tensors: input.tensors,
    hasTokenizer: input.hasTokenizer,
    refusals: reader.problems,
    warnings: warningsOf(input.config, reader.method),
  };
}

class MlxReader {
  readonly problems: StudioError[];
  readonly parts: AdapterPart[] = [];
  readonly method: AdapterMethod;
  readonly scale: number | undefined;
  rank: number | undefined;
  private readonly configuredRank: unknown;

  constructor(private readonly input: AdapterInput) {
    this.problems = checkTensors(input);
    this.method = this.readMethod();
    const parameters = lowRankParameters(input.config);
    this.configuredRank = parameters['rank'];
    const scale = parameters['scale'];
    this.scale = typeof scale === 'number' && Number.isFinite(scale) ? scale : undefined;
  }

  read(): void {
    const modules = new Map<string, MlxModule>();
    const plain: TensorRef[] = [];
    for (const tensor of this.input.tensors.values()) {
      const factor = /^(.+)\.(lora_a|lora_b|m)$/.exec(tensor.name);
      if (factor === null) {
        plain.push(tensor);
        continue;
      }
      const module = modules.get(factor[1]!) ?? {};
      module[factor[2] === 'lora_a' ? 'a' : factor[2] === 'lora_b' ? 'b' : 'm'] = tensor;
      modules.set(factor[1]!, module);
    }
    for (const [name, module] of modules) {
      this.readModule(name, module);
    }
    this.readPlain(plain, modules);
    this.checkSettings(modules.size > 0);
    append(this.problems, duplicateTargets(this.parts, this.input.path));
  }

  private readMethod(): AdapterMethod {
    const type = this.input.config['fine_tune_type'];
    if (type === undefined || type === null) {
      return this.input.config['use_dora'] === true ? 'dora' : 'lora';
    }
    if (type === 'lora' || type === 'dora' || type === 'full') {
      return type;
    }
    this.refuse(
      'adapter/unsupported',
      `${this.input.path}: fine_tune_type is ${JSON.stringify(type)}, where lora, dora and full are known. Fuse it with mlx_lm.fuse and pass the fused folder as the base.`,
    );
    return 'lora';
  }

  private readModule(name: string, { a, b, m }: MlxModule): void {
    const there = a ?? b ?? m;
    if (a === undefined || b === undefined) {
      this.refuse(
        'adapter/pair',
        `${there!.name} is there, but ${a === undefined ? 'lora_a' : 'lora_b'} of the same module is not. The file is incomplete: copy or fetch the adapter again.`,
        there,
      );
      return;
    }
    if (expertOfStack(`${name}.weight`, 0) !== undefined) {
      this.readExperts(name, a, b, m);
      return;
    }
    if (a.shape.length !== 2 || b.shape.length !== 2) {
      this.refuse(
        'adapter/unsupported',
        `${a.name} has shape ${shapeText(a)}, which is none that mlx-lm gives to a layer known here. Fuse it with mlx_lm.fuse and pass the fused folder as the base.`,
        a,
      );
      return;
    }
    const target = canonicalTensorName(`${name}.weight`);
    const rank = a.shape[1]!;
    this.rank ??= rank;
    this.checkRank(a, b);
    const embedding = EMBEDDING.test(moduleLeaf(target));
    this.parts.push({
      kind: 'lowRank',
      target,
      a,
      b,
      layout: embedding ? 'mlxEmbedding' : 'mlxLinear',
      rank,
      scale: this.scale ?? 0,
      ...this.magnitude(a, b, m, embedding),
    });
  }

  /** All experts of a layer at once: lora_a [experts, rank, in], lora_b [experts, out, rank]. */
  private readExperts(name: string, a: TensorRef, b: TensorRef, m: TensorRef | undefined): void {
    const [experts = 0, rank = 0] = a.shape;
    if (
      m !== undefined ||
      a.shape.length !== 3 ||
      b.shape.length !== 3 ||
      b.shape[0] !== experts ||
      b.shape[2] !== rank ||
      experts === 0
    ) {
      this.refuse(
        'adapter/shape',
        `${a.name} has shape ${shapeText(a)} and ${b.name} ${shapeText(b)}, where mlx-lm has [experts, rank, in] and [experts, out, rank]. The file is damaged or of another version: fuse it with mlx_lm.fuse and pass the fused folder as the base.`,
        a,
      );
      return;
    }
    this.rank ??= rank;
    if (this.configuredRank !== undefined && this.configuredRank !== rank) {
      this.refuseRank(a, rank);
    }
    for (let expert = 0; expert < experts; expert++) {
      this.parts.push({
        kind: 'lowRank',
        target: canonicalTensorName(expertOfStack(`${name}.weight`, expert)!),
        a: outerSlice(a, expert),
        b: outerSlice(b, expert),
        layout: 'peftLinear',
        rank,
        scale: this.scale ?? 0,
      });
    }
  }

  private checkRank(a: TensorRef, b: TensorRef): void {
    if (a.shape[1] !== b.shape[0]) {
      this.refuse(
        'adapter/shape',
        `${a.name} has shape ${shapeText(a)} and ${b.name} ${shapeText(b)}: their ranks differ. The file is damaged: copy or fetch the adapter again.`,
        a,
      );
    } else if (this.configuredRank !== undefined && this.configuredRank !== a.shape[1]) {
      this.refuseRank(a, a.shape[1]!);
    }
  }

  private refuseRank(a: TensorRef, rank: number): void {
    this.refuse(
      'adapter/shape',
      `${a.name} has rank ${rank}, but adapter_config.json says ${JSON.stringify(this.configuredRank)}, so its scale is that of another run too. Pass a checkpoint of the run that wrote adapter_config.json, or restore the configuration that was saved with this one.`,
      a,
    );
  }

  private magnitude(
    a: TensorRef,
    b: TensorRef,
    m: TensorRef | undefined,
    embedding: boolean,
  ): { magnitude?: TensorRef; magnitudeAxis?: 'row' } {
    if (m === undefined) {
      if (this.method === 'dora') {
        this.refuse(
          'adapter/pair',
          `${a.name} has no magnitude (m), though adapter_config.json says dora. The file is incomplete: copy or fetch the adapter again.`,
          a,
        );
      }
      return {};
    }
    if (this.method !== 'dora') {
      this.refuse(
        'adapter/config',
        `${m.name} is a DoRA magnitude, but adapter_config.json says ${this.method}. The configuration is of another run: restore the one that was saved with these weights.`,
        m,
      );
    }
    const rows = embedding ? a.shape[0] : b.shape[1];
    if (m.shape.length !== 1 || m.shape[0] !== rows) {
      this.refuse(
        'adapter/shape',
        `${m.name} has shape ${shapeText(m)}, where ${rows!} values are needed, one a row of the weight. The file is damaged: copy or fetch the adapter again.`,
        m,
      );
    }
    return { magnitude: m, magnitudeAxis: 'row' };
  }

  /** Whole tensors: a full fine-tune, or layers that were unfrozen beside the factors. */
  private readPlain(plain: readonly TensorRef[], modules: ReadonlyMap<string, MlxModule>): void {
    for (const tensor of plain) {
      if (/(?:^|\.)lora_|\.(?:scales|biases)$/.test(tensor.name)) {
        this.refuse(
          'adapter/unmatched',
          `${tensor.name} is nothing that an adapter of mlx-lm has. Fuse it with mlx_lm.fuse --dequantize and pass the fused folder as the base.`,
          tensor,
        );
        continue;
      }
      // Adapted layers keep their own weight as `linear` or `embedding` inside the wrapper.
      const inner = /^(.+)\.(?:linear|embedding)\.([^.]+)$/.exec(tensor.name);
      const name = inner !== null && modules.has(inner[1]!) ? `${inner[1]!}.${inner[2]!}` : tensor.name;
      const kind = inner !== null && modules.has(inner[1]!) && inner[2] === 'weight' ? 'base' : 'replace';
      this.parts.push({ kind, target: canonicalTensorName(name), source: tensor });
    }
  }

  private checkSettings(hasFactors: boolean): void {
    if (hasFactors && this.method === 'full') {
      this.refuse(
        'adapter/config',
        `${this.input.path} holds low-rank factors, but adapter_config.json says that it is a full fine-tune. The configuration is of another run: restore the one that was saved with these weights.`,
      );
    } else if (hasFactors && this.scale === undefined) {
      this.refuse(
        'adapter/config',
        `${this.input.path}: adapter_config.json has no lora_parameters.scale, and without it the strength of the adapter is unknown. Restore adapter_config.json as mlx-lm wrote it.`,
      );
    } else if (!hasFactors && this.method !== 'full' && this.input.tensors.size > 0) {
      this.refuse(
        'adapter/config',
        `${this.input.weightsFile} holds whole weights and no low-rank factors, but adapter_config.json says ${this.method}. The configuration is of another run: restore the one that was saved with these weights.`,
      );
    }
  }

  private refuse(
    code: 'adapter/pair' | 'adapter/shape' | 'adapter/config' | 'adapter/unsupported' | 'adapter/unmatched',
    message: string,
    tensor?: TensorRef,
  ): void {
    const detail = tensor === undefined ? undefined : { tensor: tensor.name, shape: tensor.shape };
    this.problems.push(new StudioError(code, message, { path: this.input.path, detail }));
  }
}

function lowRankParameters(config: JsonObject): JsonObject {
  const parameters = config['lora_parameters'];
  return isJsonObject(parameters) ? parameters : {};
}

/** Before June 2024 the effective scale was scale * alpha / rank; configurations of the year after could still name an unused alpha. */
function warningsOf(config: JsonObject, method: AdapterMethod): Note[] {
  const { alpha } = lowRankParameters(config);
  if (method === 'full' || alpha === undefined || alpha === null) {
    return [];
  }
  return config['lora_layers'] === undefined
    ? []
    : [
        {
          code: 'adapter/legacy-alpha',
          message: `adapter_config.json has alpha ${JSON.stringify(alpha)} beside scale, as mlx-lm wrote it in 2024. The scale is used as it is; releases before June 2024 multiplied it by alpha / rank. If the result is too weak or too strong, train again with a current mlx-lm.`,
        },
      ];
}
