import { commentBehindValue } from '../commentBehindValue';
import { parseModelReference, sameModelName, shortModelName, type ModelName } from '../../ollama/modelName';
import { didYouMean } from '../didYouMean';
import { edit, fix, suggestion, type Fix } from '../diagnostic';
import type { LintContext } from '../lintContext';
import { looksLikePath, type BaseModel, type FromFacts } from '../modelFacts';
import type { Span } from '../modelfileTypes';
import { convertible } from './fromFolder';
import { missingPath, webAddress, whyNoName } from './fromPath';
import { badPattern, patternReason } from './fromPattern';
import { readParameter } from '../parameterValue';
import type { GgufFacts, ModelFolderFacts, WorkspaceFacts } from '../workspaceFacts';

/** What the FROM lines lead to. */
export async function fromRules(
  context: LintContext,
  base: BaseModel,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const installed = await facts.installedModels(signal);
  for (const line of base.lines) {
    if (line.path.kind === 'absent') {
      await absent(context, line, installed, facts, signal);
    } else {
      oneLine(context, line, base.lines, installed);
    }
    if (line.path.kind === 'gguf' && line.path.gguf.split !== undefined && line.path.gguf.split.count > 1) {
      await split(context, line, base.lines, line.path.gguf.split, facts, signal);
    }
  }
  namesBesideFiles(context, base);
  contextLength(context, base);
}

function oneLine(
  context: LintContext,
  line: FromFacts,
  lines: readonly FromFacts[],
  installed: readonly string[] | undefined,
): void {
  const path = line.name;
  const { span } = line.entry.value;
  switch (line.path.kind) {
    case 'absent':
      return;
    case 'bad-pattern':
      badPattern(context, line.entry, line.path.inFolder);
      return;
    case 'unknown':
      unknown(context, line);
      return;
    case 'gguf':
      gguf(context, line, lines, line.path.gguf, installed);
      return;
    case 'bad-gguf': {
      const code = line.path.truncated ? 'modelfile/gguf-truncated' : 'modelfile/gguf-invalid';
      context.report(code, span, { path, reason: line.path.reason });
      return;
    }
    case 'lfs-pointer':
      context.report('modelfile/from-lfs-pointer', span, { path });
      return;
    case 'safetensors-file':
      weightsFile(context, line);
      return;
    case 'pickle':
      context.report('modelfile/from-pickle', span, { path });
      return;
    case 'other-file':
      context.report('modelfile/gguf-invalid', span, {
        path,
        reason: line.path.reason ?? 'it does not begin as a GGUF does.',
      });
      return;
    case 'adapter-folder':
    case 'broken-adapter':
      adapterFolder(context, line);
      return;
    case 'model-folder':
      folder(context, line, line.path.model, installed);
  }
}

/** As it is written, and never nothing. */
const shownPath = (path: string): string => (path === '' ? '.' : path);

function unknown(context: LintContext, line: FromFacts): void {
  const { entry, path } = line;
  const { args } = entry.command;
  if (webAddress(context, line)) {
    return;
  }
  const isReference = !looksLikePath(args) && parseModelReference(args) !== undefined;
  if (path.kind === 'unknown' && path.remote && !isReference) {
    context.report('modelfile/file-is-remote', entry.value.span, { path: args });
  } else if (!looksLikePath(args) && !isReference) {
    invalidName(context, line);
  }
}

function invalidName(context: LintContext, { entry }: FromFacts): void {
  const { args } = entry.command;
  // A comment behind a name is told as that.
  const bare = (entry.value.quote === '' ? commentBehindValue(args) : undefined)?.value ?? args;
  if (bare === args || !(looksLikePath(bare) || parseModelReference(bare) !== undefined)) {
    context.report('modelfile/from-invalid-name', entry.value.span, { path: bare, reason: whyNoName(bare) });
  }
}

async function absent(
  context: LintContext,
  line: FromFacts,
  installed: readonly string[] | undefined,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { entry } = line;
  const { args } = entry.command;
  const { span } = entry.value;
  const reference = parseModelReference(args);
  if (webAddress(context, line)) {
    return;
  }
  const pattern = patternReason(context, args);
  if (pattern !== undefined) {
    context.report('modelfile/from-missing-path', span, { path: args, reason: pattern });
    return;
  }
  if (looksLikePath(args)) {
    const folder = /^.*[\\/]/s.exec(args)?.[0];
    const places = await Promise.all(
      [...new Set(['', ...(folder === undefined ? [] : [folder])])].map((prefix) => facts.suggestPaths(prefix, signal)),
    );
    missingPath(context, line, places.flat());
    return;
  }
  if (reference === undefined) {
    invalidName(context, line);
    return;
  }
  if (installed === undefined || reference.isCloud || installed.some((name) => isModel(name, reference.name))) {
    return;
  }
  const meant = didYouMean(args, installed);
  const fixes: Fix[] = meant === undefined ? [] : [fix(`Use ${meant}`, false, edit(span, meant))];
  context.report(
    'modelfile/from-not-installed',
    span,
    { name: shortModelName(reference.name), suggestion: suggestion(meant) },
    { fixes },
  );
}

function isModel(text: string, name: ModelName): boolean {
  const other = parseModelReference(text);
  return other !== undefined && sameModelName(other.name, name);
}

function weightsFile(context: LintContext, { entry, name: args }: FromFacts): void {
  const cut = Math.max(args.lastIndexOf('/'), args.lastIndexOf('\\'));
  const parent = cut < 0 ? '.' : args.slice(0, Math.max(cut, 1));
  context.report(
    'modelfile/from-weights-file',
    entry.value.span,
    { folder: parent },
    {
      fixes:
        args === entry.command.args ? [fix(`Name the folder ${parent}`, true, edit(entry.value.span, parent))] : [],
    },
  );
}

function gguf(
  context: LintContext,
  line: FromFacts,
  lines: readonly FromFacts[],
  file: GgufFacts,
  installed: readonly string[] | undefined,
): void {
  const path = line.name;
  const { span } = line.entry.value;
  if (file.role === 'adapter') {
    const keyword = line.entry.instruction.keywordSpan;
    context.report(
      'modelfile/gguf-is-adapter',
      span,
      { path },
      { fixes: [fix('Write ADAPTER', false, edit(keyword, 'ADAPTER'))] },
    );
  }
  if (file.role === 'projector' && !lines.some(({ name }) => name !== path)) {
    context.report('modelfile/gguf-is-projector', span, { path });
  }
  shadowed(context, line, 'file', installed);
}

/** `model-00001-of-00003.gguf`: the name says which parts there are. */
const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s;

async function split(
  context: LintContext,
  line: FromFacts,
  lines: readonly FromFacts[],
  { number, count }: NonNullable<GgufFacts['split']>,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = line.name;
  const prefix = SPLIT_NAME.exec(path)?.[1];
  const named = new Set(lines.map(({ name }) => name.replace(/^\.\//, '')));
  const all = Array.from(
    { length: Math.min(count, 999) },
    (_, i) => `${prefix ?? ''}-${pad(i + 1)}-of-${pad(count)}.gguf`,
  );
  const missing = prefix === undefined ? [] : all.filter((name) => !named.has(name.replace(/^\.\//, '')));
  const isFirst = lines.find(({ name }) => SPLIT_NAME.exec(name)?.[1] === prefix) === line;
  if (missing.length === 0 || !isFirst) {
    return;
  }
  const end = context.lines.lineEnd(context.lines.position(line.entry.instruction.span.end).line);
  const there = await Promise.all(missing.map(async (name) => (await facts.path(name, signal)).kind === 'gguf'));
  const added = missing.map((name) => `${context.newline}FROM ${name}`).join('');
  const shown = missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : '');
  context.report(
    'modelfile/gguf-split',
    line.entry.value.span,
    { path, part: number + 1, count, missing: shown },
    // Of a pattern nobody knows how its author would have it.
    {
      fixes:
        path === line.entry.command.args
          ? [fix('Add the other parts', there.every(Boolean), edit({ start: end, end }, added))]
          : [],
    },
  );
}

const pad = (number: number): string => String(number).padStart(5, '0');

/** The value, or the keyword where the value is empty (the folder of the file). */
function visibleSpan({ entry }: FromFacts): Span {
  const { span } = entry.value;
  return span.start < span.end ? span : entry.instruction.keywordSpan;
}

function adapterFolder(context: LintContext, line: FromFacts): void {
  const hasAdapter = context.all('adapter').length > 0;
  const fixes = hasAdapter ? [] : [fix('Write ADAPTER', false, edit(line.entry.instruction.keywordSpan, 'ADAPTER'))];
  context.report('modelfile/from-is-adapter', visibleSpan(line), { path: shownPath(line.name) }, { fixes });
}

function folder(
  context: LintContext,
  line: FromFacts,
  model: ModelFolderFacts,
  installed: readonly string[] | undefined,
): void {
  const path = shownPath(line.name);
  const span = visibleSpan(line);
  if (shadowed(context, line, 'folder', installed, model.weights === 'none')) {
    return;
  }
  if (model.problem !== undefined) {
    context.report('modelfile/from-folder-refused', span, { path, error: model.problem });
    return;
  }
  if (model.leavesFolder) {
    context.report('modelfile/from-outside-link', span, { path });
  } else if (model.pointers.length > 0) {
    context.report('modelfile/from-lfs-pointer', span, { path: within(path, model.pointers[0] ?? '') });
  } else if (model.weights === 'none' || model.weights === 'other') {
    context.report('modelfile/from-no-weights', span, { path });
  } else if (model.weights === 'pytorch') {
    context.report('modelfile/from-pickle', span, { path });
  }
  innerGguf(context, span, path, model);
  if (model.weights === 'safetensors') {
    convertible(context, span, path, model);
  }
}

const within = (folder: string, name: string): string =>
  folder === '.' ? name : `${folder.replace(/[\\/]$/, '')}/${name}`;

function innerGguf(context: LintContext, span: Span, path: string, { gguf: inner }: ModelFolderFacts): void {
  if (inner?.facts.kind === 'bad-gguf') {
    const code = inner.facts.truncated ? 'modelfile/gguf-truncated' : 'modelfile/gguf-invalid';
    context.report(code, span, { path: within(path, inner.name), reason: inner.facts.reason });
  } else if (inner?.facts.kind === 'gguf' && inner.facts.gguf.role === 'adapter') {
    context.report('modelfile/gguf-is-adapter', span, { path: within(path, inner.name) });
  }
}

/** A file or folder that happens to be called as a model: one that is installed, or a folder that is no model itself. */
function shadowed(
  context: LintContext,
  { entry, name: written }: FromFacts,
  kind: string,
  installed: readonly string[] | undefined,
  isNoModel = false,
): boolean {
  const { args } = entry.command;
  const isPlain = written === args && !looksLikePath(args) && !/[\\/]$/.test(args);
  const reference = isPlain ? parseModelReference(args) : undefined;
  const isInstalled = reference !== undefined && installed?.some((name) => isModel(name, reference.name)) === true;
  if (reference === undefined || (!isInstalled && !isNoModel)) {
    return false;
  }
  const full = shortModelName(reference.name);
  const fixes = full === args ? [] : [fix(`Write ${full}`, false, edit(entry.value.span, full))];
  context.report(
    'modelfile/from-shadowed',
    entry.value.span,
    {
      kind,
      path: args,
      name: args.split(':')[0] ?? args,
      more: isNoModel ? ' The folder holds no weights: Ollama says no Modelfile or safetensors files found.' : '',
    },
    { fixes },
  );
  return isNoModel;
}

function namesBesideFiles(context: LintContext, { lines, nameLine }: BaseModel): void {
  if (nameLine === undefined) {
    return;
  }
  const name = nameLine.entry.command.args;
  for (const { entry, path } of lines) {
    if (path.kind !== 'absent' && path.kind !== 'unknown' && path.kind !== 'bad-pattern') {
      context.report('modelfile/from-name-and-file', entry.value.span, { name });
    } else if (entry !== nameLine.entry && path.kind === 'absent' && !looksLikePath(entry.command.args)) {
      const fixes = [context.removal(entry.instruction, false)];
      context.report(
        'modelfile/from-several-names',
        entry.value.span,
        { name: entry.command.args },
        { fixes, tag: 'unnecessary' },
      );
    }
  }
}

function contextLength(context: LintContext, { contextLength: limit }: BaseModel): void {
  const entry = context.last('num_ctx');
  const read = entry === undefined ? undefined : readParameter('num_ctx', entry.command.args);
  if (entry === undefined || limit === undefined || limit <= 0 || read?.kind !== 'value' || read.value.type !== 'int') {
    return;
  }
  if (read.value.value > BigInt(limit)) {
    const fixes = [fix(`Write ${limit}`, true, edit(entry.value.span, String(limit)))];
    context.report('modelfile/num-ctx-above-model', entry.value.span, { value: entry.command.args, limit }, { fixes });
  }
}
