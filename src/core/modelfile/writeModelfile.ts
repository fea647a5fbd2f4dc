import { StudioError } from '../errors';
import { quoteText } from '../golang/quote';
import type { TemplateChoice } from '../chatTemplate/chooseTemplate';
import { PARAMETERS } from './parameters';
import { parseModelfile } from './parseModelfile';
import type { InstructionName } from '../ollama/instructionNames';

/** What a Modelfile is written of. */
export interface ModelfileContent {
  /** Values of FROM: paths or a model's name. */
  readonly from: readonly string[];
  readonly adapter?: string | undefined;
  /** Template, stops, parameters, RENDERER, PARSER and licence. */
  readonly choice?: TemplateChoice | undefined;
  readonly system?: string | undefined;
  /** These win over those of `choice`. */
  readonly parameters?: Readonly<Record<string, number | boolean | string>> | undefined;
  /** Lines of the comment at the top. */
  readonly header?: readonly string[] | undefined;
  readonly requires?: string | undefined;
  /** Licences of the model's own files, where `choice` brings none; one that no Modelfile can hold is left out. */
  readonly licences?: readonly string[] | undefined;
  readonly messages?: readonly { readonly role: string; readonly content: string }[] | undefined;
}

/**
 * A Modelfile from which Ollama's parser reads exactly these values; what the template owes to and where it differs stands in
 * comments. Throws `modelfile/syntax` for a value that no Modelfile can hold.
 */
export function modelfileFor(content: ModelfileContent): string {
  const { choice } = content;
  const blocks: string[][] = [];
  blocks.push((content.header ?? []).flatMap(commentLines));
  blocks.push([
    ...content.from.map((value) => instruction('FROM', value)),
    ...(content.adapter === undefined ? [] : [instruction('ADAPTER', content.adapter)]),
  ]);
  blocks.push(content.requires === undefined ? [] : [instruction('REQUIRES', content.requires)]);
  blocks.push([
    ...(choice?.renderer === undefined ? [] : [instruction('RENDERER', choice.renderer)]),
    ...(choice?.parser === undefined ? [] : [instruction('PARSER', choice.parser)]),
  ]);
  if (choice !== undefined) {
    blocks.push([
      ...templateComment(choice),
      ...(choice.template === undefined ? [] : [instruction('TEMPLATE', choice.template)]),
    ]);
  }
  blocks.push(content.system === undefined || content.system === '' ? [] : [instruction('SYSTEM', content.system)]);
  blocks.push(parameterLines(content));
  blocks.push((content.messages ?? []).map(({ role, content: text }) => instruction('MESSAGE', text, role)));
  const own = choice?.license ?? [];
  blocks.push((own.length > 0 ? own : (content.licences ?? [])).map(licenceLine));
  return `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n')}\n`;
}

/**
 * One instruction whose value Ollama's parser gives back as it is. `PARAMETER stop` and `MESSAGE user` are given as keyword and name.
 * Throws `modelfile/syntax` where no way of quoting does that.
 */
export function instruction(keyword: InstructionName, value: string, name?: string): string {
  const head = name === undefined ? keyword : `${keyword} ${name}`;
  for (const quoted of [
    ...(isPlain(value) ? [value] : []),
    ...(value.includes('\n') ? [] : [`"${value}"`]),
    `"""${value}"""`,
    `"${value}"`,
    value,
  ]) {
    const line = `${head} ${quoted}`;
    if (readsAs(line, keyword, value)) {
      return line;
    }
  }
  throw new StudioError(
    'modelfile/syntax',
    `No Modelfile can hold this ${keyword}: ${quoteText(value.slice(0, 200))}. Ollama's parser drops characters that do not print, and a text cannot have three quotes at the end of a line in it. Take them out.`,
  );
}

/** LICENSE; a model is not refused for the spelling of a licence: a comment says that it is left out. */
export function licenceLine(text: string): string {
  try {
    return instruction('LICENSE', text);
  } catch {
    return `# A licence of the base is left out, which no Modelfile can hold: ${commentLines(text.slice(0, 80))[0]?.slice(2) ?? ''}`;
  }
}

/** A value of one line that needs no quotes to be read by people. */
function isPlain(value: string): boolean {
  return /^[\w./~\\:@+=-][^"'#\r\n]*$/.test(value) && value === value.trim();
}

/** In front of another instruction as well as at the end: both must be read as meant. */
function readsAs(line: string, keyword: InstructionName, value: string): boolean {
  const from = keyword === 'FROM' ? '' : 'FROM x\n';
  const { verdict } = parseModelfile(`${from}${line}\nSYSTEM "end"\n`);
  if (!verdict.ok) {
    return false;
  }
  const commands = keyword === 'FROM' ? verdict.commands : verdict.commands.slice(1);
  const [first, second] = commands;
  const args = keyword === 'MESSAGE' ? first?.args.slice(first.args.indexOf(': ') + 2) : first?.args;
  return commands.length === 2 && args === value && second?.name === 'system' && second.args === 'end';
}

function commentLines(text: string): string[] {
  return text.split(/[\r\n]+/).map((line) => `# ${line.replace(/[\u0000-\u001f\u007f]/g, ' ').trimEnd()}`.trimEnd());
}

const ORIGINS: Readonly<Record<TemplateChoice['origin'], (choice: TemplateChoice) => string>> = {
  library: ({ model }) => `TEMPLATE: as ${model ?? ''} of Ollama's library has it.`,
  base: ({ model }) => `TEMPLATE: that of ${model ?? ''}.`,
  generated: () => "TEMPLATE: written from the model's own chat template.",
  none: () => 'No TEMPLATE.',
};

function templateComment(choice: TemplateChoice): string[] {
  const { comparison } = choice;
  const compared =
    comparison === undefined
      ? ''
      : choice.exact
        ? ` It gives the same prompts in all ${comparison.compared.length} conversations that were compared.`
        : ` ${comparison.compared.length - comparison.differences.length} of ${comparison.compared.length} compared conversations give the same prompt.`;
  return [`${ORIGINS[choice.origin](choice)}${compared}`, ...choice.notes].flatMap(commentLines);
}

function parameterLines({ choice, parameters = {} }: ModelfileContent): string[] {
  const own = new Set(Object.keys(parameters));
  const stops = own.has('stop') ? [] : (choice?.stops ?? []);
  return [
    ...(choice?.parameters ?? [])
      .filter(({ name }) => !own.has(name) && PARAMETERS.has(name))
      .flatMap(({ name, value, reason }) => [
        ...commentLines(`${name}: ${reason}`),
        instruction('PARAMETER', String(value), name),
      ]),
    ...Object.entries(parameters).map(([name, value]) => instruction('PARAMETER', String(value), name)),
    ...stops.flatMap(({ text, reason }) => [
      ...commentLines(`stop ${text}: ${reason}`),
      instruction('PARAMETER', text, 'stop'),
    ]),
  ];
}
