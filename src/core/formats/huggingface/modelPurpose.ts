import { StudioError } from '../../errors';
import type { GgufMetadata } from '../gguf/ggufTypes';
import type { JsonObject } from '../../json';

/** What a model is for, where that is not to go on with a text. Stable: scripts rely on these names. */
export const MODEL_PURPOSES = [
  'classifier',
  'reward',
  'token-classifier',
  'question-answering',
  'embedding',
  'reranker',
  'speech',
  'encoder-decoder',
  'image',
] as const;

export type ModelPurpose = (typeof MODEL_PURPOSES)[number];

/** What it does instead of writing text, for people. */
const WORDS: Readonly<Record<ModelPurpose, string>> = {
  classifier: 'a classifier: it answers with a score for each label',
  reward: 'a reward model: it answers with a score',
  'token-classifier': 'a token classifier: it answers with a label for each token',
  'question-answering': 'an extractive question answerer: it answers with a span of the given text',
  embedding: 'an embedding model: it answers with a vector',
  reranker: 'a reranker: it answers with how well two texts belong together',
  speech: 'a speech model: it takes or makes sound',
  'encoder-decoder': 'an encoder-decoder: it rewrites one text into another',
  image: 'an image model',
};

const CLASSIFIER_WAY =
  'No text comes out of it, and Ollama has no place for its answer. Serve it with transformers (pipeline) or vLLM (`vllm serve`, its classify and pooling endpoints).';

/** How people get it to work. */
const WAYS: Readonly<Record<ModelPurpose, string>> = {
  classifier: CLASSIFIER_WAY,
  reward: CLASSIFIER_WAY,
  'token-classifier': CLASSIFIER_WAY,
  'question-answering': CLASSIFIER_WAY,
  embedding:
    "Convert it with llama.cpp's own converter if that knows its class, `convert_hf_to_gguf.py DIRECTORY --outtype f16 --outfile MODEL.gguf`, and give the file to Ollama (`FROM MODEL.gguf`): it serves embedding models.",
  reranker:
    "Ollama does not rerank. Convert it with llama.cpp's own converter (`convert_hf_to_gguf.py DIRECTORY --outtype f16 --outfile MODEL.gguf`) and serve it with `llama-server -m MODEL.gguf --reranking`, or use sentence-transformers.",
  speech:
    'Ollama does not run it. For Whisper use whisper.cpp (its models/convert-h5-to-ggml.py), for others transformers.',
  'encoder-decoder':
    'Ollama does not run it. llama.cpp runs T5 (`convert_hf_to_gguf.py DIRECTORY`, then `llama-cli -m MODEL.gguf`), transformers and CTranslate2 run the others.',
  image: 'Ollama does not run it here. Use diffusers, or stable-diffusion.cpp.',
};

export function purposeText(purpose: ModelPurpose): string {
  return purpose.replace('-', ' ');
}

/** The refusal of a model that writes no text: what it is, and the way that works. `seenBy` is what shows it. */
export function notText(purpose: ModelPurpose, what: string, seenBy: string, path?: string): StudioError {
  return new StudioError('model/purpose', `${what} is ${WORDS[purpose]} (${seenBy}). ${WAYS[purpose]}`, {
    path,
    detail: { purpose, seenBy },
  });
}

/** Class names by what follows the family's. */
const CLASSES: readonly (readonly [RegExp, ModelPurpose])[] = [
  [/Reward(?:Model)?$|ForRewardModel(?:ing)?$/i, 'reward'],
  [
    /^(?:Bert|Roberta|XLMRoberta\w*|JinaBert\w*|ModernBert|DebertaV2|NewModel|GTE\w*)ForSequenceClassification$/,
    'reranker',
  ],
  [/ForTokenClassification$/, 'token-classifier'],
  [/ForQuestionAnswering$/, 'question-answering'],
  [
    /For(?:Sequence|Audio|Image|Video)Classification(?:From\w+)?$|ForMultipleChoice$|ForNextSentencePrediction$/,
    'classifier',
  ],
  [
    /^(?:Whisper|Speech\w*|Wav2Vec2\w*|Hubert|UniSpeech\w*|WavLM|SeamlessM4T\w*|Bark\w*|Vits|Musicgen\w*|Csm|Dia|ParlerTTS\w*|Moshi\w*|KyutaiSpeech\w*|Encodec|Mimi|Fish\w*|PocketTTS\w*|Qwen3TTS\w*|Clap\w*)(?:Model$|For|Config|$)/,
    'speech',
  ],
  [/(?:ForCTC|ForSpeechSeq2Seq|ForTextToSpeech|ForTextToWaveform)$/, 'speech'],
  [
    /^(?:T5\w*|MT5|UMT5|LongT5|Bart|MBart|Marian(?:MT)?|Pegasus\w*|LED|FSMT|M2M100|NllbMoe|Blenderbot\w*|BigBirdPegasus|ProphetNet|XLMProphetNet|EncoderDecoder|SwitchTransformers|T5Gemma\w*)(?:Model|For\w+|MTModel|EncoderModel)?$/,
    'encoder-decoder',
  ],
  [
    /^(?:Bert|Roberta|XLMRoberta\w*|DistilBert|MPNet|Albert|Electra|NomicBert\w*|JinaBert\w*|ModernBert|NeoBERT|NeoBERTLMHead|EuroBert|DebertaV2|Camembert|New|GTE\w*)(?:Model|For(?:MaskedLM|PreTraining))$/,
    'embedding',
  ],
  [
    /^(?:Gemma3TextModel|LlamaBidirectionalModel|LlamaBidirectional\w*|BidirectionalLlama\w*|MistralModel|Qwen2Model|Qwen3Model|LlamaModel)$/,
    'embedding',
  ],
  [/(?:UNet\w*|Diffusion\w*Pipeline|Transformer2DModel|AutoencoderKL)$/, 'image'],
];

/** What a class is for by its name; undefined for one that writes text, or is not known. */
export function purposeOfClass(className: string): ModelPurpose | undefined {
  return CLASSES.find(([pattern]) => pattern.test(className))?.[1];
}

/**
 * The purpose of a model folder by its class, its labels and the pooling beside it.
 * @param isPooled sentence-transformers' modules.json names a pooling
 * @param names canonical names of its weights
 */
export function purposeOfModel(
  className: string | undefined,
  config: JsonObject | undefined,
  isPooled: boolean,
  names: Iterable<string>,
): { readonly purpose: ModelPurpose; readonly seenBy: string } | undefined {
  const byClass = className === undefined ? undefined : purposeOfClass(className);
  if (byClass === 'classifier' || byClass === 'reranker') {
    const labels = config?.['num_labels'] ?? labelCount(config);
    // A cross-encoder has one score for two texts; so has a reward model, which is made from a decoder.
    const purpose = labels === 1 ? (byClass === 'reranker' ? 'reranker' : 'reward') : 'classifier';
    return { purpose, seenBy: className! };
  }
  if (byClass !== undefined) {
    return { purpose: byClass, seenBy: className! };
  }
  for (const name of names) {
    if (isScoringHead(name)) {
      return { purpose: 'classifier', seenBy: name };
    }
  }
  return isPooled ? { purpose: 'embedding', seenBy: 'modules.json' } : undefined;
}

function labelCount(config: JsonObject | undefined): number | undefined {
  const labels = config?.['id2label'];
  return typeof labels === 'object' && labels !== null ? Object.keys(labels).length : undefined;
}

/** Canonical names of weights that turn hidden states into something other than tokens. */
const HEADS =
  /^(?:model\.)?(?:score|classifier|classification_head|class_head|qa_outputs|regression_head|reward_head|rewards?|logit_scale_head)\.(?:\w+\.)*(?:weight|bias)$/;

/** The value head of TRL's and LLaMA-Factory's PPO, which judges beside the model and is no part of it. */
const VALUE_HEAD = /^(?:v_head|value_head)\./;

export function isScoringHead(canonicalName: string): boolean {
  return HEADS.test(canonicalName);
}

export function isValueHead(canonicalName: string): boolean {
  return VALUE_HEAD.test(canonicalName);
}

/** PEFT's task types that train a head in place of the language model's. */
const TASKS: Readonly<Record<string, ModelPurpose>> = {
  SEQ_CLS: 'classifier',
  TOKEN_CLS: 'token-classifier',
  QUESTION_ANS: 'question-answering',
};

/**
 * What an adapter was trained for, where that is not text.
 * @param names canonical names of the weights that it changes, each with its first dimension
 */
export function purposeOfAdapter(
  taskType: unknown,
  names: Iterable<readonly [name: string, rows: number | undefined]>,
): { readonly purpose: ModelPurpose; readonly seenBy: string } | undefined {
  const byTask = typeof taskType === 'string' && Object.hasOwn(TASKS, taskType) ? TASKS[taskType] : undefined;
  for (const [name, rows] of names) {
    if (isScoringHead(name)) {
      const purpose = (byTask ?? 'classifier') === 'classifier' && rows === 1 ? 'reward' : (byTask ?? 'classifier');
      return { purpose, seenBy: byTask === undefined ? name : `task_type ${taskType as string}, ${name}` };
    }
  }
  return byTask === undefined ? undefined : { purpose: byTask, seenBy: `task_type ${taskType as string}` };
}

/** Architectures of llama.cpp that make no text. */
const GGUF_ENCODERS: Readonly<Record<string, ModelPurpose>> = {
  bert: 'embedding',
  'nomic-bert': 'embedding',
  'nomic-bert-moe': 'embedding',
  'jina-bert-v2': 'embedding',
  'jina-bert-v3': 'embedding',
  'modern-bert': 'embedding',
  'neo-bert': 'embedding',
  eurobert: 'embedding',
  'gemma-embedding': 'embedding',
  'llama-embed': 'embedding',
  t5: 'encoder-decoder',
  t5encoder: 'embedding',
  'wavtokenizer-dec': 'speech',
};

/** `LLAMA_POOLING_TYPE_RANK` */
const RANK_POOLING = 4;

/** What a GGUF is for by its architecture and its pooling; undefined for one that writes text. */
export function purposeOfGguf(metadata: GgufMetadata): ModelPurpose | undefined {
  const name = metadata.get('general.architecture');
  const architecture = name?.type === 'string' ? name.value : '';
  const pooling = metadata.get(`${architecture}.pooling_type`);
  const type = pooling?.type === 'u32' ? pooling.value : undefined;
  if (type === RANK_POOLING) {
    return 'reranker';
  }
  return (
    (Object.hasOwn(GGUF_ENCODERS, architecture) ? GGUF_ENCODERS[architecture] : undefined) ??
    (type !== undefined && type > 0 ? 'embedding' : undefined)
  );
}
