import { OLLAMA_BEHAVIOURS } from '../../ollama/ollamaBehaviours';
import { type DiagnosticInfo, error, information, warning } from './diagnosticInfo';

/** What the grammar and the values of instructions and parameters can have wrong. */
export const TEXT_DIAGNOSTICS = {
  // Grammar
  'modelfile/unknown-instruction': error(
    '{word} is no instruction.{suggestion} Ollama: command must be one of FROM, LICENSE, TEMPLATE, SYSTEM, ADAPTER, DRAFT, RENDERER, PARSER, PARAMETER, MESSAGE, REQUIRES.',
    'A line must begin with an instruction, in any case, followed by a space. Prose over several lines needs `"""` around it. `#` begins a comment only where an instruction could begin.',
  ),
  'modelfile/missing-value': error(
    '{word} needs a value on the same line.{suggestion}',
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
    'This {word} is never closed: the rest of the file belongs to the value.{suggestion} A value in quotes ends at a line that ends with the same quotes.',
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
  'modelfile/gone-parameter': error(
    'Ollama takes {name} no longer, since {gone}: {says} ({judged}). Remove the line.',
    `\`typical_p\` is refused by \`ollama create\` and in the options of requests since ${OLLAMA_BEHAVIOURS.typicalP.gone}; models that have it keep it. An error where the version of Ollama is known, a warning where the newest is assumed.`,
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
} as const satisfies Record<string, DiagnosticInfo>;
