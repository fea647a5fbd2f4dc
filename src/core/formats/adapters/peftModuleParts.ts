import { StudioError } from '../../errors';
import type { TensorRef } from '../tensorRef';
import type { AdapterPart } from './adapter';
import { shapeText } from './adapterChecks';
import type { PeftModule, PeftSettings } from './peftConfig';
import type { PeftRole, PeftTensorName } from './peftTensorName';

/** All tensors of one module, by what they are for. */
export interface PeftModuleTensors {
  readonly name: PeftTensorName;
  readonly byRole: Map<PeftRole | 'replaceBias', TensorRef>;
}

/** Turns the tensors of one module of a PEFT file into parts, and says what does not fit. */
export class PeftModuleParts {
  readonly problems: StudioError[] = [];
  /** Rank, alpha and scale, when the module has factors. */
  lowRank: PeftModule | undefined;
  private readonly module: string;

  constructor(
    private readonly tensors: PeftModuleTensors,
    private readonly settings: PeftSettings,
    private readonly path: string,
  ) {
    this.module = tensors.name.target.replace(/\.(?:weight|bias)$/, '');
  }

  /** In the order in which they apply: what the module starts from, then what is added. */
  parts(): AdapterPart[] {
    return [...this.wholeTensors(), ...this.linear(), ...this.embedding(), ...this.tokens(), ...this.strayMagnitude()];
  }

  private tensor(role: PeftRole | 'replaceBias'): TensorRef | undefined {
    return this.tensors.byRole.get(role);
  }

  private wholeTensors(): AdapterPart[] {
    const parts: AdapterPart[] = [];
    const base = this.tensor('base');
    const replacement = this.tensor('replace');
    const bias = this.tensor('replaceBias');
    if (base !== undefined) {
      parts.push({ kind: 'base', target: `${this.module}.weight`, source: base });
    }
    if (replacement !== undefined) {
      // PEFT before 0.6 saved the weight under a LoRA'd embedding by its plain name.
      const underFactors = this.tensor('loraB') ?? this.tensor('embeddingB') ?? this.tensor('tokens');
      parts.push({
        kind: underFactors === undefined ? 'replace' : 'base',
        target: `${this.module}.weight`,
        source: replacement,
      });
    }
    if (bias !== undefined) {
      parts.push({ kind: 'replace', target: `${this.module}.bias`, source: bias });
    }
    return parts;
  }

  private linear(): AdapterPart[] {
    const a = this.tensor('loraA');
    const b = this.tensor('loraB');
    const bias = this.tensor('loraBias');
    if (a === undefined || b === undefined) {
      this.missingPartner(a, b ?? bias, 'lora_A', 'lora_B');
      return [];
    }
    if (!this.areMatrices(a, b)) {
      return [];
    }
    const scale = this.scaleOf(a, b);
    const parts: AdapterPart[] = [
      {
        kind: 'lowRank',
        target: `${this.module}.weight`,
        a,
        b,
        layout: 'peftLinear',
        rank: scale.rank,
        scale: scale.scale,
        ...this.magnitude(b, 'row'),
      },
    ];
    if (bias !== undefined) {
      this.checkLength(bias, b.shape[0]!, b);
      parts.push({ kind: 'add', target: `${this.module}.bias`, source: bias, scale: scale.scale });
    }
    return parts;
  }

  private embedding(): AdapterPart[] {
    const a = this.tensor('embeddingA');
    const b = this.tensor('embeddingB');
    if (a === undefined || b === undefined) {
      this.missingPartner(a, b, 'lora_embedding_A', 'lora_embedding_B');
      return [];
    }
    if (!this.areMatrices(a, b)) {
      return [];
    }
    const scale = this.scaleOf(a, b);
    return [
      {
        kind: 'lowRank',
        target: `${this.module}.weight`,
        a,
        b,
        layout: 'peftEmbedding',
        rank: scale.rank,
        scale: scale.scale,
        ...this.magnitude(b, 'column'),
      },
    ];
  }

  private tokens(): AdapterPart[] {
    const source = this.tensor('tokens');
    if (source === undefined) {
      return [];
    }
    const { path } = this.tensors.name;
    const listed = [...this.settings.trainableTokens];
    const named = listed.find(([module]) => module === '' || path === module || path.endsWith(`.${module}`));
    // After a resize PEFT saves the head as well, which shares the embedding's trained rows where the two are tied.
    const shared = this.module === 'lm_head' && listed.length === 1 ? listed[0] : undefined;
    const entry = named ?? shared;
    if (entry === undefined) {
      this.refuse(
        'adapter/config',
        `${source.name} holds trained tokens, but trainable_token_indices of adapter_config.json does not say which rows they are. Restore adapter_config.json as the training tool wrote it.`,
        source,
      );
      return [];
    }
    const [, rows] = entry;
    if (source.shape.length !== 2 || source.shape[0] !== rows.length) {
      this.refuse(
        'adapter/shape',
        `${source.name} has shape ${shapeText(source)}, but trainable_token_indices names ${rows.length} tokens. The configuration is not of these weights: restore the adapter_config.json that was saved with them.`,
        source,
      );
      return [];
    }
    return [{ kind: 'replaceRows', target: `${this.module}.weight`, source, rows }];
  }

  private strayMagnitude(): AdapterPart[] {
    const magnitude = this.tensor('magnitude');
    const hasFactors = this.tensor('loraB') !== undefined || this.tensor('embeddingB') !== undefined;
    if (magnitude !== undefined && !hasFactors) {
      this.refuse(
        'adapter/pair',
        `${magnitude.name} is a DoRA magnitude without its factors. The file is incomplete: save or fetch the adapter again.`,
        magnitude,
      );
    }
    return [];
  }

  private magnitude(b: TensorRef, axis: 'row' | 'column'): { magnitude?: TensorRef; magnitudeAxis?: 'row' | 'column' } {
    const magnitude = this.tensor('magnitude');
    if (magnitude === undefined) {
      if (this.settings.useDora) {
        this.refuse(
          'adapter/pair',
          `${b.name} has no lora_magnitude_vector, though adapter_config.json says that this is a DoRA adapter (use_dora). The file is incomplete: save or fetch the adapter again.`,
          b,
        );
      }
      return {};
    }
    if (!this.settings.useDora) {
      this.refuse(
        'adapter/config',
        `${magnitude.name} is a DoRA magnitude, but adapter_config.json does not set use_dora. The configuration is not of these weights: restore the adapter_config.json that was saved with them.`,
        magnitude,
      );
    }
    this.checkLength(magnitude, b.shape[0]!, b);
    return { magnitude, magnitudeAxis: axis };
  }

  /** The rank is the one of the tensors; a configuration that says another is not of these weights. */
  private scaleOf(a: TensorRef, b: TensorRef): PeftModule {
    const rank = a.shape[0]!;
    const configured = this.settings.module(this.tensors.name.path);
    this.lowRank = configured;
    if (b.shape[1] !== rank) {
      this.refuse(
        'adapter/shape',
        `${a.name} has shape ${shapeText(a)} and ${b.name} ${shapeText(b)}: their ranks differ. The file is damaged or mixed from two adapters: save or fetch it again.`,
        a,
      );
    } else if (configured.rank !== rank) {
      this.refuse(
        'adapter/shape',
        `${a.name} has rank ${rank}, but adapter_config.json says ${configured.rank} (r and rank_pattern), so the scale cannot be trusted. The configuration is not of these weights: restore the adapter_config.json that was saved with them.`,
        a,
      );
    }
    return configured;
  }

  private areMatrices(a: TensorRef, b: TensorRef): boolean {
    const odd = [a, b].find((tensor) => tensor.shape.length !== 2);
    if (odd !== undefined) {
      this.refuse(
        'adapter/unsupported',
        `${odd.name} has shape ${shapeText(odd)}: only linear layers and embeddings can be merged, not convolutions. Merge it with PEFT (merge_and_unload) and pass the merged folder as the base.`,
        odd,
      );
    }
    return odd === undefined;
  }

  private checkLength(vector: TensorRef, length: number, beside: TensorRef): void {
    if (vector.shape.reduce((product, size) => product * size, 1) !== length) {
      this.refuse(
        'adapter/shape',
        `${vector.name} has shape ${shapeText(vector)}, where ${beside.name} ${shapeText(beside)} asks for ${length} values. The file is damaged or mixed from two adapters: save or fetch it again.`,
        vector,
      );
    }
  }

  private missingPartner(a: TensorRef | undefined, b: TensorRef | undefined, aName: string, bName: string): void {
    const there = a ?? b;
    if (there !== undefined) {
      this.refuse(
        'adapter/pair',
        `${there.name} is there, but ${a === undefined ? aName : bName} of the same module is not. The file is incomplete: save or fetch the adapter again.`,
        there,
      );
    }
  }

  private refuse(
    code: 'adapter/pair' | 'adapter/shape' | 'adapter/config' | 'adapter/unsupported',
    message: string,
    tensor: TensorRef,
  ): void {
    this.problems.push(
      new StudioError(code, message, { path: this.path, detail: { tensor: tensor.name, shape: tensor.shape } }),
    );
  }
}
