import type { InstructionName } from '../../../src/core/ollama/instructionNames';
import { parameterAvailability, type ParameterInfo } from '../../../src/core/modelfile/parameters';
import { behaviour, type OllamaBehaviourName } from '../../../src/core/ollama/ollamaBehaviours';
import { availabilityText } from '../../../src/core/ollama/ollamaProfile';
import { NEWEST_KNOWN, ollamaNames, type OllamaNameKind } from '../../../src/core/ollama/ollamaTable';
import { code } from './markdown';

export interface InstructionDocumentation {
  readonly usage: string;
  readonly text: string;
  /** LSP snippet without the keyword; the first choice of completion. */
  readonly snippet: string;
}

/** What each instruction is for, as hover and completion show it. */
export const INSTRUCTION_DOCUMENTATION: Readonly<Record<InstructionName, InstructionDocumentation>> = {
  FROM: {
    usage: 'FROM name or path',
    text: 'What the model is made from: the name of a model, a GGUF file, or a folder with safetensors. Paths are relative to this file, and may be patterns (`model-*.gguf`). Needed; it may stand anywhere, and several name the parts of one model.',
    snippet: 'FROM ${1:llama3.2}',
  },
  PARAMETER: {
    usage: 'PARAMETER name value',
    text: 'A default for running the model. Requests can override it.',
    snippet: 'PARAMETER ${1:temperature} ${2:0.7}',
  },
  TEMPLATE: {
    usage: 'TEMPLATE text',
    text: 'How a conversation becomes a prompt, as a Go template. Without it the template inside the model file is used.',
    snippet: 'TEMPLATE """${1:{{ .Prompt \\}\\}}"""',
  },
  SYSTEM: {
    usage: 'SYSTEM text',
    text: 'The system prompt, where a request brings none.',
    snippet: 'SYSTEM """${1:You are a helpful assistant.}"""',
  },
  ADAPTER: {
    usage: 'ADAPTER path',
    text: 'A LoRA adapter in GGUF form, applied to the model at run time; the last one counts. Without a future in Ollama: modelfile-studio create fuses adapters into their base by itself, on every version.',
    snippet: 'ADAPTER ${1:./adapter.gguf}',
  },
  DRAFT: {
    usage: 'DRAFT path',
    text: 'A small model that proposes tokens for this one to check (speculative decoding).',
    snippet: 'DRAFT ${1:./draft.gguf}',
  },
  LICENSE: {
    usage: 'LICENSE text',
    text: 'The licence under which the model is shared. May be given several times.',
    snippet: 'LICENSE """$1"""',
  },
  MESSAGE: {
    usage: 'MESSAGE role text',
    text: 'A message that stands before every conversation. The role is system, user or assistant.',
    snippet: 'MESSAGE ${1|user,assistant,system|} ${2:text}',
  },
  RENDERER: {
    usage: 'RENDERER name',
    text: 'Writes prompts with code built into Ollama; TEMPLATE is then not used.',
    snippet: 'RENDERER $1',
  },
  PARSER: {
    usage: 'PARSER name',
    text: 'Reads answers (thinking, tool calls) with code built into Ollama, and turns the model file’s own template off.',
    snippet: 'PARSER $1',
  },
  REQUIRES: {
    usage: 'REQUIRES version',
    text: 'The lowest Ollama version that may run the model.',
    snippet: `REQUIRES \${1:${NEWEST_KNOWN}}`,
  },
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `Since Ollama 0.12.0, until 0.34.0.` of a name in Ollama's sources; undefined where nothing is known. */
export function namesAvailability(kind: OllamaNameKind, name: string): string | undefined {
  const text = availabilityText(ollamaNames(kind).get(name) ?? {});
  return text === undefined ? undefined : `${capital(text)}.`;
}

/** Since when, and until when, an instruction is taken, and what it can name. */
export function instructionAvailability(name: InstructionName): string | undefined {
  const when = (what: OllamaBehaviourName): string => availabilityText(behaviour(what)) ?? '';
  switch (name) {
    case 'ADAPTER':
      return `${capital(when('adapterLayers'))}.`;
    case 'FROM':
      return `Patterns ${when('fromGlobs')}. Folders with safetensors are converted ${when('convertsSafetensors')}, and imported by MLX ${when('importsByMlx')}.`;
    case 'DRAFT':
      return `${namesAvailability('instruction', name) ?? ''} Patterns ${when('fromGlobs')}.`.trim();
    default:
      return namesAvailability('instruction', name);
  }
}

const TYPE_NAMES = {
  float: 'number',
  int: 'whole number',
  bool: 'true or false',
  strings: 'text, several times',
} as const;

/** Type, default and range of a parameter, as Markdown. */
export function parameterFacts(info: ParameterInfo): string {
  const lines = [`- Type: ${TYPE_NAMES[info.type]}`];
  if (info.defaultValue !== undefined) {
    lines.push(
      `- Default: ${code(info.defaultValue)}${info.name === 'num_ctx' ? ' on small GPUs and the CPU, more with more memory' : ''}`,
    );
  }
  if (info.minimum !== undefined || info.maximum !== undefined) {
    lines.push(
      `- Usual range: ${info.minimum ?? ''}${info.maximum === undefined ? ' and above' : ` to ${info.maximum}`}`,
    );
  }
  if (info.isSampling === true) {
    lines.push(
      `- ${capital(availabilityText(behaviour('samplingKeys')) ?? '')}, a default that the model file brings comes before this one`,
    );
  }
  const versions = availabilityText(parameterAvailability(info.name) ?? {});
  if (versions !== undefined) {
    lines.push(`- ${capital(versions)}`);
  }
  for (const [value, meaning] of Object.entries(info.special ?? {})) {
    lines.push(`- ${code(value)}: ${meaning}`);
  }
  return lines.join('\n');
}

/** Fields of the values that a template gets, and of what they hold. */
export const FIELD_DOCUMENTATION: ReadonlyMap<string, string> = new Map([
  ['root.System', 'The system prompt.'],
  ['root.Prompt', 'The question, or the text to complete. Only without .Messages.'],
  ['root.Response', 'The answer. What follows it is cut off for the turn that is being written.'],
  ['root.Suffix', 'Text behind the gap, for models that fill in the middle.'],
  ['root.Messages', 'The conversation. With it, .Prompt is not given.'],
  ['root.Tools', 'The tools that the request offers.'],
  ['root.Think', 'Whether thinking is asked for.'],
  ['root.ThinkLevel', 'How hard to think, where the request says so in a word.'],
  ['root.IsThinkSet', 'Whether the request says anything about thinking.'],
  ['a message.Role', '`system`, `user`, `assistant` or `tool`.'],
  ['a message.Content', 'The text of the message.'],
  ['a message.Thinking', 'What the model thought before it answered.'],
  ['a message.Images', 'The pictures of the message.'],
  ['a message.ToolCalls', 'The tools that the assistant called.'],
  ['a message.ToolName', 'Of a tool’s message: which tool answered.'],
  ['a message.ToolCallID', 'Of a tool’s message: the call that it answers.'],
]);

export interface FunctionDocumentation {
  readonly signature: string;
  readonly text: string;
}

const documented = (signature: string, text: string): readonly [string, FunctionDocumentation] => [
  signature.split(' ')[0] ?? '',
  { signature, text },
];

/** Functions of Go's text/template and of Ollama. */
export const FUNCTION_DOCUMENTATION: ReadonlyMap<string, FunctionDocumentation> = new Map([
  documented('and x y…', 'The first empty argument, or the last one.'),
  documented('or x y…', 'The first argument that is not empty, or the last one.'),
  documented('not x', 'Whether the argument is empty.'),
  documented('eq x y…', 'Whether x equals one of the others.'),
  documented('ne x y', 'Whether the two differ.'),
  documented('lt x y', 'Whether x is less than y.'),
  documented('le x y', 'Whether x is less than or equal to y.'),
  documented('gt x y', 'Whether x is greater than y.'),
  documented('ge x y', 'Whether x is greater than or equal to y.'),
  documented('len x', 'The length of a text, a list or a map.'),
  documented('index x key…', 'The element of a list or map at a key.'),
  documented('slice x from to', 'A part of a text or list: `slice .Messages 1`.'),
  documented('print x…', 'The arguments as text, with spaces between those that are no texts.'),
  documented('printf format x…', 'Text by a format with Go’s verbs: %s, %d, %q, %v …'),
  documented('println x…', 'The arguments as text, with spaces between and a newline at the end.'),
  documented('html x…', 'The text with the characters of HTML escaped.'),
  documented('js x…', 'The text escaped for JavaScript.'),
  documented('urlquery x…', 'The text escaped for a URL.'),
  documented('call f x…', 'The result of a function value.'),
  documented('json x', 'The value as JSON. Ollama’s own.'),
  documented('currentDate', 'The date of today, 2006-01-02. Ollama’s own.'),
  documented('yesterdayDate', 'The date of yesterday. Ollama’s own.'),
  documented('toTypeScriptType x', 'The type of a tool’s property in TypeScript. Ollama’s own.'),
]);

/** Words of the template language itself. */
export const TEMPLATE_KEYWORDS: ReadonlyMap<string, string> = new Map([
  ['if', 'Prints what follows where the value is not empty.'],
  ['else', 'What is printed otherwise.'],
  ['end', 'Ends an if, range, with, define or block.'],
  ['range', 'Prints what follows once for every element; dot is the element.'],
  ['with', 'Prints what follows where the value is not empty; dot is the value.'],
  ['define', 'Names a part of the template.'],
  ['template', 'Prints a named part. Ollama wants a value behind the name.'],
  ['block', 'Names a part and prints it.'],
  ['break', 'Leaves the innermost range.'],
  ['continue', 'Goes on with the next element of the innermost range.'],
  ['nil', 'No value.'],
]);
