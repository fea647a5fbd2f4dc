import { type DiagnosticInfo, hint, information, warning } from './diagnosticInfo';

/** What a TEMPLATE does to conversations, by itself and beside the model's own template. */
export const TEMPLATE_DIAGNOSTICS = {
  'modelfile/template-completion': information(
    'This TEMPLATE has no turns: it completes a text{consequence}.{advice}',
    'A template that writes the prompt alone is right for base models. A chat model gets no markers with it, and talks on or answers badly.',
  ),
  'modelfile/template-no-answer-header': warning(
    'Nothing in this TEMPLATE opens the answer: the prompt ends with {end}, and the model begins the next turn, or an empty one. Write what begins the assistant’s turn at the end{example}.',
    'The prompt must end where the assistant is to speak: behind `<|im_start|>assistant` and a newline, `<start_of_turn>model` and a newline, or what the format has.',
  ),
  'modelfile/template-answer-closed': warning(
    'This TEMPLATE ends the answer before it begins: behind what opens the assistant’s turn it writes {end}, and the prompt ends with it. Remove that.',
    'An end of turn behind the header of the assistant tells the model that it has spoken already.',
  ),
  'modelfile/template-role-mismatch': warning(
    'Past answers are headed {past}, the new one {next}: the model sees two different speakers.{advice}',
    '`{{ .Role }}` prints `assistant`; a format that calls it `model`, or otherwise, needs an `if`.',
  ),
  'modelfile/template-foreign-markers': warning(
    'This TEMPLATE writes {markers}, which {model} does not know as {number}: it reads letters, and never ends a turn with them. {advice}',
    'Markers of turns are single tokens of a vocabulary. Those of another family are plain text to the model: it does not stop, or answers badly.',
  ),
  'modelfile/template-differs': warning(
    'This TEMPLATE does not write what {own} writes: {meaning} (conversation “{conversation}”, character {at}){more}.',
    'Both templates are rendered with the same conversations: a question, a system message, several turns. White space at the ends and the token that begins a text do not count. What changes answers for the worse is a warning, everything else information.',
  ),
  'modelfile/stop-foreign': hint(
    '{word} is a marker of {family}; this TEMPLATE writes those of {own}. The model will hardly ever say it.',
    'A stop text that no answer can hold does nothing. It is no harm either.',
  ),
  'modelfile/system-markers': warning(
    'SYSTEM holds {marker}, a marker of turns ({family}): the model reads it as the beginning or the end of a turn in the midst of the system prompt. Write examples as MESSAGE user and MESSAGE assistant.',
    'Markers in a text become the tokens that they stand for. A conversation belongs into MESSAGE lines, which the template puts between the right markers.',
  ),
  'modelfile/literal-escape': warning(
    '{escape} is not interpreted: Ollama reads a backslash and a letter. Write the character itself{advice}.',
    'Only string constants within `{{ }}` have escapes. A text over several lines stands between `"""`.',
  ),
  'modelfile/text-is-path': warning(
    'Ollama reads no file here: the text is “{path}” itself. Write the contents of the file into the Modelfile, between """.',
    'Only FROM, ADAPTER and DRAFT take paths.',
  ),
} as const satisfies Record<string, DiagnosticInfo>;
