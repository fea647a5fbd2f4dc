import { OLLAMA_BEHAVIOURS } from '../../ollama/ollamaBehaviours';
import { error, hint, information, warning, type DiagnosticInfo } from './diagnosticInfo';

const { adapterFolders, adapterLayers, convertsSafetensors, importsByMlx } = OLLAMA_BEHAVIOURS;

/** What FROM, ADAPTER and DRAFT can have wrong. */
export const SOURCE_DIAGNOSTICS = {
  // FROM
  'modelfile/from-missing-path': warning(
    '{path} does not exist. {reason}',
    'A path that is not there silently turns into a model name: a valid one is looked up and pulled, a path-like one is refused as an invalid name.',
  ),
  'modelfile/from-invalid-name': warning(
    '{path} is neither a file here nor a valid model name.{reason} Ollama: invalid model name.',
    'A name is host/namespace/model:tag; only the model is needed. Letters, digits, `-`, `_` and `.` are allowed.',
  ),
  'modelfile/from-web-address': warning(
    'Ollama downloads nothing from a web address in FROM. {reason}',
    'FROM takes paths and names. Models of Hugging Face have names: `hf.co/OWNER/REPOSITORY:TAG`, where the tag is a type (`Q4_K_M`) or the name of a file.',
  ),
  'modelfile/from-not-installed': information(
    '{name} is not installed: ollama create will pull it.{suggestion}',
    'The list of installed models comes from the Ollama that is configured.',
  ),
  'modelfile/from-shadowed': warning(
    'There is a {kind} named {path} beside this file: Ollama takes that, not the model of this name.{more} Write {name}:latest for the model, or rename the {kind}.',
    'Ollama first looks whether a path exists; only what does not exist is a model name.',
  ),
  'modelfile/from-empty': warning(
    'FROM without a value means the folder of this Modelfile. Write FROM . if you mean that.',
    'An empty value is a legal path.',
  ),
  'modelfile/from-weights-file': warning(
    'FROM names one weights file. Ollama needs the folder with config.json and the tokenizer: write FROM {folder}.',
    'A safetensors file alone has neither configuration nor tokenizer: the import fails.',
  ),
  'modelfile/from-lfs-pointer': warning(
    '{path} is a Git LFS pointer of a few bytes, not the model. Run git lfs pull in its folder.',
    'Ollama reports `invalid file magic` or `unknown type` for it.',
  ),
  'modelfile/from-no-weights': warning(
    '{path} holds no weights that Ollama takes (model*.safetensors, consolidated*.safetensors, *.gguf). Ollama: no Modelfile or safetensors files found.',
    'Names matter: `adapter_model.safetensors` or `adapters.safetensors` are adapters and are not found.',
  ),
  'modelfile/from-no-config': warning(
    '{path} has weights but no config.json: Ollama cannot tell what they are.',
    'A Hugging Face folder is converted by the architecture that its `config.json` names.',
  ),
  'modelfile/from-no-architecture': warning(
    'config.json of {path} names no class in architectures. Ollama: unknown architecture. Fetch the config.json of the original model.',
    'The first of `architectures` decides how a folder is converted.',
  ),
  'modelfile/from-folder-refused': warning(
    'Ollama refuses the folder {path}: {error}.',
    'Its files are taken by name and checked by their first bytes: a `.json` that is no plain text, or a weights file that cannot be opened, ends the import.',
  ),
  'modelfile/from-quantised-folder': warning(
    'The weights of {path} are quantised ({how}), and Ollama converts only F32, F16, BF16 and FP8: unknown data type. Route: {route}.',
    'A folder that was packed for another runtime holds whole numbers with scales beside them; Ollama’s converter does not know them.',
  ),
  'modelfile/from-is-adapter': warning(
    '{path} is an adapter, not a model. Ollama: no Modelfile or safetensors files found. Name its base in FROM, and fuse the two with modelfile-studio build or convert the adapter with modelfile-studio convert-adapter.',
    'An adapter holds the changes to a base only. `adapter_config.json` says so.',
  ),
  'modelfile/from-pickle': warning(
    '{path} holds PyTorch pickles only, which Ollama no longer takes (unknown type). Save the model as safetensors first.',
    'A pickle can run code when it is loaded; no current tool should read one that you did not make.',
  ),
  'modelfile/from-outside-link': warning(
    '{path} reaches its files through a link out of the folder (the Hugging Face cache does that). Ollama refuses this: insecure path. Download with --local-dir, or name the real folder.',
    'Ollama follows links and refuses files outside the folder that FROM names, also when the folder itself is a link.',
  ),
  'modelfile/from-unsupported-architecture': warning(
    'Ollama cannot import {architecture}: {says} ({judged}). Make a GGUF of it ({route}) and name that in FROM; modelfile-studio create does it by itself.',
    `Ollama imports folders of some classes only: before ${convertsSafetensors.gone} those that its converter knew, since then those that its MLX runner knows. A GGUF runs for all that llama.cpp knows.`,
  ),
  'modelfile/from-needs-mlx': warning(
    'Ollama imports {architecture} folders by MLX only, since {since}: on a Mac that works, and the model then gets a renderer in place of its own template; without an MLX runtime it fails (MLX runtime is not available); {judged}. To keep the template and run anywhere, make a GGUF of it ({route}); modelfile-studio create does it by itself.',
    `Since Ollama ${importsByMlx.since} \`FROM\` a folder with safetensors is no longer converted to GGUF. It is imported by MLX, which is there on a Mac with Apple silicon and where the CUDA payload of MLX is installed. A RENDERER and a PARSER are set by themselves, so that what a fine-tune changed in its chat template is not used. Modelfile Studio always makes a GGUF of a folder.`,
  ),
  'modelfile/from-pattern': error(
    'Ollama takes {instruction} for a pattern since {since}, and {what} is none: {says}; {judged}. {advice}',
    'FROM and DRAFT are patterns as Go’s `filepath.Glob` has them: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before what is meant as it stands (not on Windows). The folder of the Modelfile is part of the pattern. An error where the version of Ollama is known, a warning where the newest is assumed.',
  ),
  'modelfile/from-name-and-file': warning(
    'FROM names a model ({name}) beside files: Ollama silently ignores the files. Keep one of the two.',
    'A request with a model name and files uses the name only.',
  ),
  'modelfile/from-several-names': warning(
    'Only the last model name counts; {name} is ignored.',
    'Several FROM are for the parts of one model: shards, or a model and its projector.',
  ),
  'modelfile/gguf-truncated': warning(
    '{path} ends before its data does: {reason} The download or copy was cut short; fetch it again.',
    'Ollama reports an unexpected EOF, or loads garbage.',
  ),
  'modelfile/gguf-invalid': warning(
    '{path} cannot be read as GGUF: {reason}',
    'FROM a file wants a GGUF of version 2 or 3.',
  ),
  'modelfile/gguf-split': warning(
    '{path} is part {part} of {count}. Add a FROM line for each of the other parts: {missing}.',
    'Ollama merges split files when all of them are named, with their original names (`…-00001-of-00003.gguf`).',
  ),
  'modelfile/gguf-is-adapter': warning(
    '{path} is a LoRA adapter, not a model. Name it in ADAPTER, and its base in FROM.',
    '`general.type` of the file says adapter.',
  ),
  'modelfile/gguf-is-projector': warning(
    '{path} is a projector (vision or audio), not a model. Name the model in another FROM.',
    'Projectors stand beside the model that they belong to: `FROM model.gguf` and `FROM mmproj.gguf`.',
  ),
  'modelfile/file-is-remote': information(
    '{path} is a network or device path; it is not looked at here.',
    'Opening such a path on Windows can send credentials to another machine.',
  ),

  // ADAPTER and DRAFT
  'modelfile/adapter-missing': warning(
    '{path} does not exist. Ollama: {error}.',
    'Unlike FROM, an ADAPTER or DRAFT must be there when the model is created.',
  ),
  'modelfile/adapter-gone': warning(
    'Since {gone} Ollama makes no models with adapters (LoRA adapters are no longer supported); {judged}. Fuse the adapter into its base: modelfile-studio create does it by itself, and build makes a GGUF for FROM.',
    `\`ollama create\` refuses every Modelfile with ADAPTER since ${adapterLayers.gone}, whatever the adapter. Models that have an adapter already are still served, for now. \`modelfile-studio create\` fuses the adapter into its base on every version, so this never stops it.`,
  ),
  'modelfile/adapter-ending': information(
    'Ollama takes ADAPTER only until {last}: from {gone} on it makes no models with adapters ({judged}). A fused model works with every version: modelfile-studio create makes one.',
    'Adapters that are kept apart lose their support, also those of models that are made already.',
  ),
  'modelfile/adapter-directory': warning(
    'ollama create refuses adapter folders: it looks for model*.safetensors and finds none. Convert the adapter to GGUF, or fuse it into its base.',
    `From ${adapterFolders.gone} on the command line could not take a PEFT or mlx adapter folder (github.com/ollama/ollama/issues/13314), and since ${adapterLayers.gone} it takes no adapter at all. \`modelfile-studio build\` makes a fused model.`,
  ),
  'modelfile/adapter-architecture': warning(
    'Ollama converts safetensors adapters for llama and gemma2 bases only; this base is {architecture}. Convert the adapter to GGUF, or fuse it into its base.',
    'Every architecture takes an adapter that is already a GGUF.',
  ),
  'modelfile/adapter-scale-lost': warning(
    'This adapter has a scale of {scale} ({reason}), which Ollama’s converter loses: it would be applied with {effective}. Convert it to GGUF with modelfile-studio convert-adapter, or fuse it.',
    'mlx-lm writes a scale and no alpha; rank-stabilised LoRA divides by the root of the rank. Ollama knows neither.',
  ),
  'modelfile/adapter-attention-scrambled': warning(
    'Ollama’s converter scrambles the attention deltas (q_proj, k_proj) of adapters on llama bases. Convert the adapter to GGUF with modelfile-studio convert-adapter, or fuse it.',
    'The rows of q and k are permuted in a GGUF; the converter permutes the wrong factor.',
  ),
  'modelfile/adapter-dora': warning(
    'This adapter is a DoRA, which neither Ollama nor llama.cpp can apply at run time. Fuse it into its base.',
    'The magnitude of each row depends on the merged weight.',
  ),
  'modelfile/adapter-full': warning(
    'This is a full fine-tune, not a low-rank adapter. Fuse it into its base.',
    'Whole weights cannot be applied as an adapter.',
  ),
  'modelfile/adapter-base-mismatch': warning(
    'This adapter does not fit the base of this file: {reason}',
    'Shapes, architecture and recorded base of the adapter are compared with FROM.',
  ),
  'modelfile/adapter-base-name': information(
    'The adapter says it was trained on {trained}; FROM is {base}. Make sure that they are the same model.',
    'An adapter on another base of the same shape gives answers, but bad ones.',
  ),
  'modelfile/adapter-refused': warning(
    '{path} cannot be applied: {reason}',
    'The configuration and the header of the weights are read; nothing could merge or convert such an adapter rightly.',
  ),
  'modelfile/adapter-not-adapter': warning('{path} is not an adapter: {reason}', 'ADAPTER wants a LoRA in GGUF form.'),
  'modelfile/several-adapters': warning(
    'Only the last ADAPTER counts; this one is silently ignored. Fuse several adapters into one model with modelfile-studio build.',
    'Ollama supports one adapter for each model.',
  ),
  'modelfile/draft-not-model': warning(
    '{path} is no whole model: DRAFT wants a GGUF, or a folder with config.json and safetensors.',
    'A draft model is loaded beside the model itself, as FROM is.',
  ),
  'modelfile/draft-same-as-from': warning(
    'DRAFT names the same file as FROM. Ollama: DRAFT must not reference the same local path as FROM.',
    'A draft model is a smaller one that proposes tokens.',
  ),
  'modelfile/draft-parameter-without-draft': hint(
    'draft_num_predict does nothing without DRAFT, unless the model of FROM drafts by itself (MTP).',
    'It says how many tokens the draft model, or the model’s own heads for several tokens, propose at once.',
  ),
} as const satisfies Record<string, DiagnosticInfo>;
