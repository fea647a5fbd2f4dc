import { type DiagnosticInfo, hint, information, warning } from './diagnosticInfo';

/** What TEMPLATE, SYSTEM, MESSAGE, quoting and versions can have wrong, and what is said of the checks themselves. */
export const PROMPT_DIAGNOSTICS = {
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
  'modelfile/template-system-twice': warning(
    'This TEMPLATE writes the system prompt more than once: Ollama hands it over as .System and as the first of .Messages. Take one of them.',
    'The model gets its instructions twice. A loop over `.Messages` that leaves `system` out, beside `.System`, or the loop alone, writes them once.',
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
    'The quote that begins here closes only in line {line}, so that {instruction} in between is part of the value.{suggestion} Close it on its own line, or use """.',
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
    'This file requires Ollama {version}; it is {judged}.',
    'That Ollama will refuse the model, or ignore the line.',
  ),
  'modelfile/too-new': warning(
    '{feature} needs Ollama {since}; {judged}.',
    'An older Ollama refuses the instruction, or does not know the name.',
  ),
  'modelfile/gone': warning(
    '{feature} is gone since Ollama {gone}; {judged}.',
    'A newer Ollama refuses the instruction, or does not know the name any more.',
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
