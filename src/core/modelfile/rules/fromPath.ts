import { parseModelReference, shortModelName } from '../../ollama/modelName';
import { didYouMean } from '../didYouMean';
import { edit, fix, type Fix } from '../diagnostic';
import type { LintContext } from '../lintContext';
import type { FromFacts } from '../modelFacts';
import type { PathSuggestion } from '../workspaceFacts';

/**
 * A FROM that reads like a path and leads nowhere: what is wrong with it, most telling cause first.
 * @param nearby what FROM could name in the folder that the path points into
 */
export function missingPath(context: LintContext, { entry }: FromFacts, nearby: readonly PathSuggestion[]): void {
  const { args } = entry.command;
  const { span } = entry.value;
  const report = (reason: string, fix?: Fix): void =>
    context.report(
      'modelfile/from-missing-path',
      span,
      { path: args, reason },
      { fixes: fix === undefined ? [] : [fix] },
    );
  const blob = foreignBlob(context, args, entry.instruction.span.start);
  if (blob !== undefined) {
    const write = blob.name === undefined ? undefined : fix(`Write FROM ${blob.name}`, false, edit(span, blob.name));
    report(blob.reason, write);
    return;
  }
  const variable = VARIABLE.exec(args)?.[0];
  if (variable !== undefined) {
    const home = args.replace(
      /^(?:\$HOME|\$\{HOME\}|%USERPROFILE%|\$env:USERPROFILE|\$\{env:USERPROFILE\})(?=[\\/])/i,
      '~',
    );
    report(
      `Ollama expands no variables, and takes ${variable} as it stands; only ~ at the start is expanded.`,
      home === args ? undefined : fix(`Write ${home}`, false, edit(span, home)),
    );
    return;
  }
  if (/\\ /.test(args)) {
    const plain = args.replaceAll('\\ ', ' ');
    report(
      'A backslash before a space is no escape in a Modelfile: write the path as it is, with its spaces.',
      fix(`Write ${plain}`, false, edit(span, plain)),
    );
    return;
  }
  const meant = nearest(args, nearby);
  const isAbsolute = /^(?:[\\/~]|[A-Za-z]:[\\/])/.test(args);
  const where = isAbsolute ? 'It is an absolute path, and not on this machine.' : 'Paths are relative to this file.';
  const advice = meant === undefined ? where : `${where} Did you mean ${meant}?`;
  // With nothing here that it could be, the model is elsewhere and the file is not wrong.
  context.report(
    'modelfile/from-missing-path',
    span,
    { path: args, reason: `${consequenceOf(args)} ${advice}` },
    {
      fixes: meant === undefined ? [] : [fix(`Use ${meant}`, false, edit(span, meant))],
      severity: nearby.some(({ kind }) => kind !== 'folder') ? 'warning' : 'information',
    },
  );
}

function consequenceOf(args: string): string {
  return parseModelReference(args) === undefined
    ? 'Ollama would take it for the name of a model, and refuse that.'
    : 'Ollama would take it for the name of a model, and look for it in the registry.';
}

const VARIABLE = /\$\{?(?:env:)?[A-Za-z_]\w*\}?|%[A-Za-z_]\w*%|\$\([^)]*\)|\{\{?\s*[A-Za-z_][\w.]*\s*\}?\}/;

/** A blob of an Ollama store that is not here; `ollama show` names the model in a comment above. */
function foreignBlob(
  { text, parsed }: LintContext,
  args: string,
  before: number,
): { readonly reason: string; readonly name?: string | undefined } | undefined {
  if (!/[\\/]blobs[\\/]sha256[-:][0-9a-f]{12,64}$/i.test(args)) {
    return undefined;
  }
  const named = parsed.comments
    .filter(({ start }) => start < before)
    .map(({ start, end }) => /^#[ \t]*FROM[ \t]+(\S+)[ \t]*$/.exec(text.slice(start, end))?.[1])
    .findLast((name) => name !== undefined && !/[\\/]blobs[\\/]/.test(name) && parseModelReference(name) !== undefined);
  const what = 'It is a blob of an Ollama on another machine, which no other machine has under this path.';
  return named === undefined
    ? { reason: `${what} Write the name of the model that it is of.` }
    : { reason: `${what} Write FROM ${named}, which the comment above names.`, name: named };
}

function nearest(args: string, nearby: readonly PathSuggestion[]): string | undefined {
  const files = nearby.filter(({ kind }) => kind !== 'folder').map(({ path }) => path.replace(/\/$/, ''));
  const base = (path: string): string => path.split(/[\\/]/).at(-1)?.toLowerCase() ?? '';
  const name = didYouMean(base(args), files.map(base));
  return name === undefined ? undefined : files.find((path) => base(path) === name);
}

const HUBS = /^(?:https?:\/\/)?(?:www\.)?(?:hf\.co|huggingface\.co|ollama\.com|ollama\.ai|registry\.ollama\.ai)\//i;

/** What a web address in FROM means: Ollama downloads none, but the models of the hubs have names. True where it is told. */
export function webAddress(context: LintContext, { entry }: FromFacts): boolean {
  const { args } = entry.command;
  if (!/^https?:\/\//i.test(args) && !HUBS.test(args)) {
    return false;
  }
  const [, host = '', path = ''] = /^(?:https?:\/\/)?(?:www\.)?([^/\s]+)\/?([^\s?#]*)/i.exec(args) ?? [];
  const name = nameOfAddress(host.toLowerCase(), path.replace(/\/+$/, ''));
  const isName = parseModelReference(args) !== undefined && !/\.gguf$/i.test(path.replace(/:[^/]*$/, ''));
  // `https://hf.co/user/repo` is a name, and so is that of any host that serves models; the site of the library serves none.
  if (isName && !/^ollama\./i.test(host)) {
    return false;
  }
  const { span } = entry.value;
  const reason =
    name === undefined
      ? 'Download the file and name its path.'
      : `The model has a name that Ollama can pull: write FROM ${name}.`;
  const fixes = name === undefined ? [] : [fix(`Write FROM ${name}`, false, edit(span, name))];
  context.report('modelfile/from-web-address', span, { reason }, { fixes });
  return true;
}

function nameOfAddress(host: string, path: string): string | undefined {
  if (host === 'huggingface.co' || host === 'hf.co') {
    const [, owner, repo, rest = ''] = /^([\w.-]+)\/([\w.-]+)(?:\/(.*))?$/.exec(path) ?? [];
    if (owner === undefined || repo === undefined) {
      return undefined;
    }
    // The file's own name is a tag, too.
    const file = /(?:^|\/)([\w.-]+\.gguf)$/i.exec(rest)?.[1];
    return `hf.co/${owner}/${repo}${file === undefined ? '' : `:${file}`}`;
  }
  if (host === 'ollama.com' || host === 'ollama.ai' || host === 'registry.ollama.ai') {
    const own = path.replace(/^library\//, '').replace(/\/(?:tags|blobs.*)$/, '');
    const reference = parseModelReference(own);
    return reference === undefined ? undefined : shortModelName(reference.name).replace(/:latest$/, '');
  }
  return undefined;
}

/** Why a FROM can be no name, as far as it tells: a variable, or a space where a colon belongs. */
export function whyNoName(args: string): string {
  const variable = VARIABLE.exec(args)?.[0];
  if (variable !== undefined) {
    return ` Ollama expands no variables, and takes ${variable} as it stands.`;
  }
  const [, name, tag] = /^([\w./-]+)\s+([\w.-]+)$/.exec(args) ?? [];
  return name === undefined || parseModelReference(`${name}:${tag ?? ''}`) === undefined
    ? ''
    : ` Did you mean ${name}:${tag ?? ''}?`;
}
