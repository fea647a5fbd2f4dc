export const SEVERITIES = ['error', 'warning', 'information', 'hint'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One kind of finding. */
export interface DiagnosticInfo {
  readonly severity: Severity;
  /** The message, with `{name}` where facts are filled in. It says what is wrong and what to do. */
  readonly message: string;
  /** Why it matters, in Markdown. */
  readonly documentation: string;
}

const error = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'error',
  message,
  documentation,
});
const warning = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'warning',
  message,
  documentation,
});
const information = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'information',
  message,
  documentation,
});
const hint = (message: string, documentation: string): DiagnosticInfo => ({ severity: 'hint', message, documentation });

/**
 * Every diagnostic of the language server and of `lint`. An error is what Ollama 0.32.15 refuses from the text alone
 * (`parser.ParseFile`, the value checks of `CreateRequest`, `template.Parse`), or what makes its server panic.
 * `language-server/VALIDATOR.md` is generated from this table.
 */
export const DIAGNOSTICS = {
  // Grammar
  'modelfile/unknown-instruction': error(
    '{word} is no instruction.{suggestion} Ollama: command must be one of FROM, LICENSE, TEMPLATE, SYSTEM, ADAPTER, DRAFT, RENDERER, PARSER, PARAMETER, MESSAGE, REQUIRES.',
    'A line must begin with an instruction, in any case, followed by a space. Prose over several lines needs `"""` around it. `#` begins a comment only where an instruction could begin.',
  ),
  'modelfile/missing-value': error(
    '{word} needs a value on the same line.',
    'After the instruction (and the parameter name or role) Ollama wants a space and a value. `FROM` at the end of a line is refused as an unknown command.',
  ),
  'modelfile/parameter-name': error(
    '{word} cannot be the name of a parameter: names are made of letters, digits and _.{suggestion}',
    'Ollama stops reading at the first other character and reports `unexpected EOF`.',
  ),
  'modelfile/message-role': error(
    '{word} is no role.{suggestion} A role is exactly system, user or assistant, in lower case, one space after MESSAGE.',
    'Roles are the one part of the grammar where case matters.',
  ),
  'modelfile/unclosed-quote': error(
    'This {word} is never closed: the rest of the file belongs to the value. A value in quotes ends at a line that ends with the same quotes.',
    'A value that begins with `"` or `"""` runs on until a line ends with the same quotes, over as many lines as it takes. At the end of the file Ollama reports `unexpected EOF`.',
  ),
  'modelfile/no-from': error(
    'There is no FROM: a model is made from another model or from files. Add FROM with a name or a path.',
    'FROM may stand anywhere in the file, and several are legal, but one there must be.',
  ),
  'modelfile/extra-space': error(
    'One space too many after {keyword}: Ollama takes the name for empty. Leave exactly one space or tab.',
    'Between `PARAMETER` or `MESSAGE` and the word that follows stands exactly one space or tab.',
  ),

  // Values
  'modelfile/unknown-parameter': error(
    "{word} is no parameter of Ollama.{suggestion} It says: unknown parameter '{word}'.",
    'Names are exact, in lower case with underscores.',
  ),
  'modelfile/removed-parameter': error(
    "Ollama no longer knows {word}. {reason} It says: unknown parameter '{word}'. Remove the line.",
    'Older Modelfiles, and many on the net, still use parameters that are gone; a current Ollama refuses the whole file.',
  ),
  'modelfile/parameter-value': error(
    '{name} takes {expected}. Ollama: {error}.',
    'Numbers are read as Go does: `1e-5`, `.5`, `0x1p-2`, `inf` are numbers, `0.7 # warm` and `1,5` are not. A comment cannot follow a value on its line.',
  ),
  'modelfile/requires-version': error(
    '{word} is no version. Ollama: requires must be a valid semver (e.g. 0.14.0). `0.6` and `0.14` are valid, `0.6.x` and `>=0.6` are not.',
    'The rules of golang.org/x/mod/semver: one to three numbers without leading zeros; suffixes only after three.',
  ),
  'modelfile/template-syntax': error(
    '{error}',
    'What Go’s text/template says about the TEMPLATE, with the functions that Ollama adds. `ollama create` fails with it. The line is that of the template, not of the file.',
  ),
  'modelfile/template-panics': error(
    'Ollama accepts this template, and then every chat that uses it answers HTTP 500: its server cuts the template at .Response and trips over what is left. {reason}',
    'For conversations without `.Messages`, the server runs the template once more with everything after the first `.Response` removed. If `.Response` stands where that removal leaves a broken tree, such as before an `{{ else }}`, the server panics.',
  ),

  // Parameters
  'modelfile/deprecated-parameter': warning(
    '{word} is deprecated: Ollama warns about it and ignores it. Remove the line.',
    'The value is not even read.',
  ),
  'modelfile/parameter-range': warning(
    '{name} is {value}; values that make sense are {range}.',
    'Ollama does not check ranges when it creates a model; the value reaches the sampler as it is.',
  ),
  'modelfile/duplicate-parameter': warning(
    '{name} is set again in line {line}; only the last one counts.',
    'Only `stop` may be given several times: its values add up.',
  ),
  'modelfile/duplicate-stop': information(
    'This stop text is already there in line {line}.',
    'The same text twice does nothing more.',
  ),
  'modelfile/num-ctx-above-model': warning(
    'num_ctx is {value}, but the model was made for {limit} tokens. Ollama silently uses {limit}.',
    'The context length of the model file is the most it can use; a larger number is cut.',
  ),
  'modelfile/parameter-is-instruction': warning(
    'PARAMETER {word} is not a parameter: Ollama takes it exactly as the instruction {instruction}. Write {instruction} if you mean it.',
    'The parser keeps the name of a parameter as the name of the command, so that `PARAMETER model x` is `FROM x`.',
  ),
  'modelfile/stop-never-matches': warning(
    'This stop text can never match: {reason}',
    'Escapes such as `\\n` are not interpreted, single quotes are part of the text, and characters that Go calls unprintable are dropped.',
  ),
  'modelfile/stop-unknown-token': warning(
    '{word} is no token of this model, nor does the template write it: the model will hardly ever say it. Its turns end with {tokens}.',
    'A stop text that belongs to another model family does nothing, and the model talks on.',
  ),

  // FROM
  'modelfile/from-missing-path': warning(
    '{path} does not exist, so Ollama takes it for the name of a model{consequence}. Correct the path; it is relative to this file.',
    'A path that is not there silently turns into a model name: a valid one is looked up and pulled, a path-like one is refused as an invalid name.',
  ),
  'modelfile/from-invalid-name': warning(
    '{path} is neither a file here nor a valid model name. Ollama: invalid model name.',
    'A name is host/namespace/model:tag; only the model is needed. Letters, digits, `-`, `_` and `.` are allowed.',
  ),
  'modelfile/from-not-installed': information(
    '{name} is not installed: ollama create will pull it.{suggestion}',
    'The list of installed models comes from the Ollama that is configured.',
  ),
  'modelfile/from-shadowed': warning(
    'There is a {kind} named {path} beside this file: Ollama takes that, not the model of this name. Write {name}:latest, or rename the {kind}.',
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
    'Ollama cannot convert {architecture}: unsupported architecture. Convert it to GGUF first ({route}) and name that file in FROM.',
    'Ollama’s own converter knows some architectures only; a GGUF runs for all that llama.cpp knows.',
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
  'modelfile/adapter-directory': warning(
    'ollama create refuses adapter folders: it looks for model*.safetensors and finds none. Convert the adapter to GGUF, or fuse it into its base.',
    'Since 0.12.11 the command line cannot take a PEFT or mlx adapter folder (github.com/ollama/ollama/issues/13314). `modelfile-studio convert-adapter` makes a GGUF adapter, `modelfile-studio build` a fused model.',
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
  'modelfile/draft-parameter-without-draft': information(
    'draft_num_predict does nothing without DRAFT.',
    'It says how many tokens the draft model proposes.',
  ),

  // TEMPLATE, RENDERER, PARSER
  'modelfile/template-dead': warning(
    'This TEMPLATE is never used: {reason}',
    'A renderer, given, inherited or chosen for the architecture, comes before TEMPLATE; and the template inside the model file wins when it can do more.',
  ),
  'modelfile/template-overridden': warning(
    'Another TEMPLATE in line {line} takes the place of this one.',
    'The last one counts.',
  ),
  'modelfile/template-syntax-unused': warning(
    '{error} (This TEMPLATE is not the last one, so Ollama does not read it.)',
    'Only the last TEMPLATE of a file is parsed.',
  ),
  'modelfile/template-is-jinja': warning(
    'This looks like a Jinja template. TEMPLATE is a Go template: Ollama prints {word} as it stands. Leave TEMPLATE out, so that the template inside the model file is used, or write it in Go’s words.',
    'Templates of Hugging Face are Jinja (`{% for message in messages %}`); Ollama’s are Go’s (`{{ range .Messages }}`). The two look alike and have nothing in common.',
  ),
  'modelfile/template-empty': warning(
    'An empty TEMPLATE is as if it were not there.',
    'Ollama leaves it out of the request.',
  ),
  'modelfile/template-no-turn-end': warning(
    'Nothing in this TEMPLATE ends the assistant’s turn: in a conversation the next question follows the answer directly, and the model learns from it to talk on. Put the model’s end-of-turn token after .Response, or after the .Content of the assistant.',
    'Rendered with a conversation, nothing stands between an answer and what begins the next question. A template that ends before the answer gets `{{ .Response }}` appended, without an end.',
  ),
  'modelfile/template-no-stop': warning(
    'This TEMPLATE ends turns with {token}, but nothing stops there: {reason}. Add PARAMETER stop "{token}".',
    'Generation ends at the model’s own end token or at a stop text. If the marker of the template is neither, the model plays both sides.',
  ),
  'modelfile/template-unknown-field': warning(
    '{field} is not a field of {type}.{suggestion} {consequence}',
    'Fields of the template’s values are System, Prompt, Response, Suffix, Messages, Tools, Think, ThinkLevel, IsThinkSet; of a message Role, Content, Thinking, Images, ToolCalls, ToolName, ToolCallID.',
  ),
  'modelfile/template-ignores-system': warning(
    'This TEMPLATE never prints the system prompt{consequence}. Use .System, or the messages of role system.',
    'A SYSTEM, in the file or in a request, would have no effect.',
  ),
  'modelfile/template-fails': warning(
    'Rendering this TEMPLATE with an ordinary conversation fails: {error}',
    'Ollama accepts the template, and every chat fails.',
  ),
  'modelfile/template-missing': warning(
    '{path} brings no chat template, and there is no TEMPLATE: {consequence} Add a TEMPLATE that fits the model.',
    'Without TEMPLATE Ollama uses the Jinja template of the model file; if there is none, /api/chat falls back to ChatML and /api/generate to the bare prompt.',
  ),
  'modelfile/template-suspicious': information(
    '{reason} Read this part of the template with care.',
    'A template can put hidden instructions before every prompt. This finds the crude ways only and is no proof of anything.',
  ),
  'modelfile/unknown-renderer': warning(
    'Ollama has no renderer {word}.{suggestion} The model is created, and every chat fails: unknown renderer "{word}".',
    'Names are checked at chat only.',
  ),
  'modelfile/unknown-parser': warning(
    'Ollama has no parser {word}.{suggestion} It is accepted, turns the model’s own template off, and parses nothing.',
    'Any PARSER, even a misspelt one, switches the Jinja template of the model file off.',
  ),
  'modelfile/parser-without-renderer': warning(
    'PARSER without RENDERER and without TEMPLATE: Ollama sends the bare prompt, for PARSER turns the model’s own template off. Add RENDERER {suggestion}.',
    'With PARSER set, Ollama renders prompts itself; without RENDERER it uses TEMPLATE, and without that `{{ .Prompt }}`.',
  ),
  'modelfile/duplicate-instruction': warning(
    '{instruction} is set again in line {line}; only the last one counts.',
    'RENDERER, PARSER and REQUIRES have one value.',
  ),

  // SYSTEM and MESSAGE
  'modelfile/system-duplicate': warning(
    'Another SYSTEM in line {line} takes the place of this one.',
    'The last one counts. Put all of it into one SYSTEM with `"""`.',
  ),
  'modelfile/system-empty': warning(
    'An empty SYSTEM is as if it were not there: the system prompt of the base model stays.',
    'Ollama leaves it out of the request.',
  ),
  'modelfile/context-overflow': warning(
    '{what} is about {tokens} tokens, more than the context of {limit} ({source}). Ollama cuts silently. {advice}',
    'What does not fit is cut without a word. The number of tokens is an estimate.',
  ),
  'modelfile/message-order': information(
    '{reason}',
    'The messages of the file stand before every conversation. Most templates expect user and assistant in turn, beginning with user.',
  ),
  'modelfile/message-empty': information('This message is empty.', 'It is sent with every conversation all the same.'),

  // Quoting
  'modelfile/quotes-dropped': warning(
    'The outer quotes are taken for delimiters: Ollama reads {value}. Put """ around the whole value to keep them.',
    'A value that begins and ends with `"` loses both, also when they belong to different words.',
  ),
  'modelfile/single-quotes': warning(
    'These quotes are part of the value: Ollama reads {value} with them. Use double quotes or none.',
    'Only `"` and `"""` are quotes.',
  ),
  'modelfile/swallowed-instruction': warning(
    'The quote that begins here closes only in line {line}, so that {instruction} in between is part of the value. Close it on its own line, or use """.',
    'A `"` value runs over lines until one ends with `"`.',
  ),
  'modelfile/dropped-characters': warning(
    'Ollama drops {characters}: they do not reach the model.',
    'Characters that Go’s strconv.IsPrint refuses are removed from values, among them no-break spaces, zero-width joiners of emoji, and control characters.',
  ),
  'modelfile/comment-in-value': warning(
    'A comment cannot follow a value: Ollama reads {value}. Put the comment on a line of its own.',
    '`#` begins a comment only where an instruction could begin.',
  ),

  // Versions
  'modelfile/requires-too-low': warning(
    'REQUIRES {version} is below what this file uses: {feature} needs Ollama {since}.',
    'REQUIRES keeps an older Ollama from running the model; it should name the version that knows everything in the file.',
  ),
  'modelfile/requires-above-installed': information(
    'The configured Ollama is {installed}; this file requires {version}.',
    'That Ollama will refuse the model, or ignore the line.',
  ),
  'modelfile/too-new': warning(
    '{feature} needs Ollama {since}; the configured one is {installed}.',
    'An older Ollama refuses the instruction, or does not know the name.',
  ),

  // About the checks
  'modelfile/unknown-ignore': hint(
    '{word} is no diagnostic code: nothing is ignored.{suggestion}',
    '`# modelfile-studio: ignore CODE` above a line silences that code there; several codes are separated by spaces or commas.',
  ),
  'modelfile/large-file': information(
    '{what} is larger than {size}: only its grammar is checked.',
    'Of a file above 4 MiB, and of a template above 1 MiB. Everything else would take too long while you type.',
  ),
} as const satisfies Record<string, DiagnosticInfo>;

export type DiagnosticCode = keyof typeof DIAGNOSTICS;

export function isDiagnosticCode(text: string): text is DiagnosticCode {
  return Object.hasOwn(DIAGNOSTICS, text);
}
