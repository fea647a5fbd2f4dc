import { relative } from 'node:path';
import type { Artefact } from '../../src/core/artefacts/artefact';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { safetensorsBytes, temporaryFolder, writeTree, type Shapes } from '../adapters/adapterFiles';

export { safetensorsBytes, temporaryFolder, writeTree } from '../adapters/adapterFiles';

const HIDDEN = 32;

/** The weights of a small Qwen3-like model with untied head. */
export function modelShapes(layers = 2, hidden = HIDDEN): Shapes {
  const shapes: Record<string, readonly ['BF16', readonly number[]]> = {
    'model.embed_tokens.weight': ['BF16', [100, hidden]],
    'model.norm.weight': ['BF16', [hidden]],
    'lm_head.weight': ['BF16', [100, hidden]],
  };
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    Object.assign(shapes, {
      [`${prefix}self_attn.q_proj.weight`]: ['BF16', [64, hidden]],
      [`${prefix}self_attn.v_proj.weight`]: ['BF16', [hidden, hidden]],
      [`${prefix}mlp.down_proj.weight`]: ['BF16', [hidden, 96]],
    });
  }
  return shapes;
}

export function modelConfig(layers = 2, hidden = HIDDEN): Record<string, unknown> {
  return {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    hidden_size: hidden,
    num_hidden_layers: layers,
    vocab_size: 100,
    max_position_embeddings: 4096,
    num_attention_heads: 4,
  };
}

/** A whole model folder. */
export function model(layers = 2, hidden = HIDDEN): Record<string, unknown> {
  return {
    'config.json': modelConfig(layers, hidden),
    'model.safetensors': safetensorsBytes(modelShapes(layers, hidden), { format: 'pt' }),
    'tokenizer.json': '{}',
    'tokenizer_config.json': { chat_template: '{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}' },
  };
}

/** A PEFT folder whose factors fit {@link model}. */
export function peft(config: Record<string, unknown> = {}, layers = 2, hidden = HIDDEN): Record<string, unknown> {
  const shapes: Record<string, readonly number[]> = {};
  for (let layer = 0; layer < layers; layer++) {
    const module = `base_model.model.model.layers.${layer}.self_attn.q_proj`;
    Object.assign(shapes, { [`${module}.lora_A.weight`]: [8, hidden], [`${module}.lora_B.weight`]: [64, 8] });
  }
  return {
    'adapter_config.json': {
      peft_type: 'LORA',
      r: 8,
      lora_alpha: 16,
      base_model_name_or_path: '/training/machine/base',
      ...config,
    },
    'adapter_model.safetensors': safetensorsBytes(shapes),
  };
}

/** What the Trainer leaves beside the weights of a checkpoint. */
export function trainerFiles(
  step: number,
  best: string | null = null,
  argumentsModule = 'transformers.training_args',
): Record<string, unknown> {
  return {
    'trainer_state.json': {
      best_model_checkpoint: best,
      epoch: step / 10,
      global_step: step,
      log_history: [
        { loss: 2, step: 1 },
        { loss: 1 / step, step },
        { eval_loss: 0.5, step },
      ],
      max_steps: 100,
    },
    'optimizer.pt': zipPickle('x'),
    'scheduler.pt': zipPickle('x'),
    'rng_state.pth': zipPickle('x'),
    'training_args.bin': zipPickle(argumentsModule),
  };
}

/** A zip whose first entry is a pickle that names a module, as torch.save writes it. Nothing ever loads it. */
export function zipPickle(module: string): Buffer {
  const name = Buffer.from('archive/data.pkl');
  const header = Buffer.alloc(30);
  header.write('PK\x03\x04', 'latin1');
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, name, Buffer.from(`\x80\x02c${module}\nTrainingArguments\nq\x00.`, 'latin1')]);
}

/** The same files in a sub-folder. */
export function below(folder: string, files: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]));
}

/** Scans a folder made of these files; artefacts by their path below it. */
export async function scanTree(files: Readonly<Record<string, unknown>>): Promise<Map<string, Artefact>> {
  const folder = writeTree(temporaryFolder(), files);
  return byPath(await collectArtefacts([folder]), folder);
}

export function byPath(artefacts: readonly Artefact[], folder: string): Map<string, Artefact> {
  return new Map(artefacts.map((artefact) => [relative(folder, artefact.path).replaceAll('\\', '/') || '.', artefact]));
}

export function codes(artefact: Artefact | undefined): string[] {
  return (artefact?.problems ?? []).map(({ code }) => code);
}
