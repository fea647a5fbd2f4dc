import { edit, fix, type Fix } from '../diagnostic';
import { foreignAdvice, foreignParameter, type ForeignParameter } from '../foreignParameters';
import { valueSpan, type Entry, type LintContext } from '../lintContext';
import { DEPRECATED_PARAMETERS, PARAMETERS, REMOVED_PARAMETERS, type ParameterInfo } from '../parameters';
import { readParameter, type ParameterValue } from '../parameterValue';
import { stopLinesFix } from './stops';

/** Command names that are instructions, by the instruction that makes them. */
const INSTRUCTION_COMMANDS: ReadonlyMap<string, string> = new Map([
  ['model', 'FROM'],
  ['adapter', 'ADAPTER'],
  ['draft', 'DRAFT'],
  ['template', 'TEMPLATE'],
  ['system', 'SYSTEM'],
  ['license', 'LICENSE'],
  ['renderer', 'RENDERER'],
  ['parser', 'PARSER'],
  ['requires', 'REQUIRES'],
  ['message', 'MESSAGE'],
]);

/** Names, types, ranges and repetitions of PARAMETER. */
export function parameterRules(context: LintContext): void {
  for (const entry of context.entries) {
    const name = entry.instruction.name?.text ?? '';
    // A name with other characters is a grammar error already.
    if (entry.instruction.keyword === 'PARAMETER' && /^\w+$/.test(name)) {
      parameter(context, entry, name);
    }
  }
  const draftOnly = context.last('draft') === undefined ? context.last('draft_num_predict') : undefined;
  if (draftOnly !== undefined) {
    context.report(
      'modelfile/draft-parameter-without-draft',
      nameSpan(draftOnly),
      {},
      { fixes: [context.removal(draftOnly.instruction, false)] },
    );
  }
}

function nameSpan(entry: Entry | undefined): { start: number; end: number } {
  return entry?.instruction.name?.span ?? { start: 0, end: 0 };
}

function parameter(context: LintContext, entry: Entry, name: string): void {
  const span = nameSpan(entry);
  const instruction = INSTRUCTION_COMMANDS.get(name);
  if (instruction !== undefined) {
    const start = entry.instruction.keywordSpan.start;
    const fixes = [fix(`Write ${instruction}`, false, edit({ start, end: span.end }, instruction))];
    context.report('modelfile/parameter-is-instruction', span, { word: name, instruction }, { fixes });
    return;
  }
  if (DEPRECATED_PARAMETERS.has(name)) {
    context.report(
      'modelfile/deprecated-parameter',
      entry.instruction.span,
      { word: name },
      { fixes: [context.removal(entry.instruction, true)], tag: 'deprecated' },
    );
    return;
  }
  const info = PARAMETERS.get(name);
  if (info === undefined) {
    unknown(context, entry, name);
    return;
  }
  const result = readParameter(name, entry.command.args);
  if (result.kind === 'error') {
    context.report(
      'modelfile/parameter-value',
      valueSpan(entry),
      { name, expected: EXPECTED[info.type], error: result.error },
      { fixes: valueFixes(context, entry, info) },
    );
    return;
  }
  if (result.kind === 'value') {
    checkValue(context, entry, info, result.value);
  }
  repetition(context, entry, name);
}

const EXPECTED = { float: 'a number', int: 'a whole number', bool: 'true or false', strings: 'a text' } as const;

function unknown(context: LintContext, entry: Entry, name: string): void {
  const span = nameSpan(entry);
  const reason = REMOVED_PARAMETERS.get(name);
  if (reason !== undefined) {
    context.report(
      'modelfile/removed-parameter',
      span,
      { word: name, reason },
      { fixes: [context.removal(entry.instruction, true)], tag: 'deprecated' },
    );
    return;
  }
  if (context.isEnough('modelfile/unknown-parameter', span)) {
    return;
  }
  const foreign = foreignParameter(name);
  context.report(
    'modelfile/unknown-parameter',
    span,
    { word: name, suggestion: foreignAdvice(foreign) },
    { fixes: foreign === undefined ? [] : foreignFixes(context, entry, foreign) },
  );
}

function foreignFixes(context: LintContext, entry: Entry, foreign: ForeignParameter): Fix[] {
  const span = nameSpan(entry);
  switch (foreign.kind) {
    case 'parameter': {
      const { name, isSure } = foreign;
      // A list, or a comment behind the text: renamed alone it would be accepted, and never match.
      const lines = name === 'stop' && isSure ? stopLinesFix(context, entry) : undefined;
      // Set already under its right name: one of the two is wrong, and nobody knows which.
      const isAlone = name === 'stop' || context.last(name) === undefined;
      return [lines ?? fix(`Write ${name}`, isSure && isAlone, edit(span, name))];
    }
    case 'instruction': {
      const { start } = entry.instruction.keywordSpan;
      return [fix(`Write ${foreign.instruction}`, false, edit({ start, end: span.end }, foreign.instruction))];
    }
    default:
      return [context.removal(entry.instruction, false)];
  }
}

/** A comment behind the number, a decimal comma, a fraction where none is taken, a word for a truth value. */
function valueFixes(context: LintContext, entry: Entry, info: ParameterInfo): Fix[] {
  const { args } = entry.command;
  const commented = /^(\S+)\s+(#.*)$/s.exec(args);
  if (commented !== null && readParameter(info.name, commented[1] ?? '').kind === 'value') {
    const start = entry.instruction.span.start;
    const above = `${commented[2] ?? ''}${context.newline}`;
    return [
      fix(
        'Move the comment above',
        true,
        edit({ start, end: start }, above),
        edit(entry.value.span, commented[1] ?? ''),
      ),
    ];
  }
  const replacement = replacementFor(args, info);
  return replacement === undefined ? [] : [fix(`Write ${replacement}`, true, edit(valueSpan(entry), replacement))];
}

function replacementFor(args: string, { name, type }: ParameterInfo): string | undefined {
  const candidates = [
    args.replace(/^'(.*)'$/s, '$1'),
    type === 'float' ? args.replace(',', '.') : '',
    type === 'int' && /^-?\d+\.0*$/.test(args) ? args.replace(/\.0*$/, '') : '',
    type === 'int' ? args.replace(/[_,](?=\d{3})/g, '') : '',
    type === 'int' ? args.replace(/^(\d{1,4})k$/i, (_, digits: string) => String(Number(digits) * 1024)) : '',
    type === 'bool'
      ? ({ yes: 'true', on: 'true', no: 'false', off: 'false' }[args.toLowerCase()] ?? args.toLowerCase())
      : '',
  ];
  return candidates.find((text) => text !== '' && text !== args && readParameter(name, text).kind === 'value');
}

function checkValue(context: LintContext, entry: Entry, info: ParameterInfo, value: ParameterValue): void {
  if (value.type === 'strings') {
    return;
  }
  const number = typeof value.value === 'boolean' ? 0 : Number(value.value);
  if (value.type === 'float' && !Number.isFinite(number)) {
    notFinite(context, entry, info, number);
    return;
  }
  if (value.type === 'bool' || info.special?.[String(number)] !== undefined) {
    return;
  }
  if ((info.minimum !== undefined && number < info.minimum) || (info.maximum !== undefined && number > info.maximum)) {
    context.report('modelfile/parameter-range', valueSpan(entry), {
      name: info.name,
      value: entry.command.args,
      range: rangeText(info),
    });
  }
}

/** JSON has neither NaN nor infinity: where such a value is the one that counts, Ollama cannot send its request. */
function notFinite(context: LintContext, entry: Entry, info: ParameterInfo, number: number): void {
  if (context.last(info.name) !== entry) {
    return;
  }
  const spelt = Number.isNaN(number) ? 'NaN' : number > 0 ? '+Inf' : '-Inf';
  context.report('modelfile/parameter-value', valueSpan(entry), {
    name: info.name,
    expected: 'a finite number',
    error: `json: unsupported value: ${spelt}`,
  });
}

function rangeText({ minimum, maximum, special }: ParameterInfo): string {
  const range = maximum === undefined ? `${minimum ?? 0} and above` : `${minimum ?? 0} to ${maximum}`;
  const more = Object.entries(special ?? {}).map(([value, meaning]) => `${value} (${meaning})`);
  return more.length === 0 ? range : `${range}; ${more.join(', ')}`;
}

function repetition(context: LintContext, entry: Entry, name: string): void {
  const isStop = name === 'stop';
  const other = isStop ? context.firstStop(entry.command.args) : context.last(name);
  const code = isStop ? 'modelfile/duplicate-stop' : 'modelfile/duplicate-parameter';
  if (other === undefined || other === entry || context.isEnough(code, entry.instruction.span)) {
    return;
  }
  const fixes = [context.removal(entry.instruction, true)];
  context.report(code, entry.instruction.span, isStop ? { line: other.line } : { name, line: other.line }, {
    fixes,
    tag: 'unnecessary',
  });
}
