import { basename, dirname, join } from 'node:path';
import * as z from 'zod/mini';
import { CHANGE_FIELDS, type ChangeField } from '../plans/proposal';

/** The longest path or name that an argument may hold. */
const TEXT = z.string().check(z.minLength(1), z.maxLength(4096));

/** What a link, a task or another extension may ask for. */
const REQUEST = z.object({
  path: z.optional(TEXT),
  base: z.optional(TEXT),
  adapters: z.optional(z.array(TEXT).check(z.maxLength(64))),
  type: z.optional(z.string().check(z.regex(/^[A-Za-z0-9_]{2,12}$/))),
  out: z.optional(TEXT),
  name: z.optional(z.string().check(z.minLength(1), z.maxLength(300))),
  ask: z.optional(z.enum(CHANGE_FIELDS)),
});

/** An item of the Artefacts view. */
const ARTEFACT_ITEM = z.object({ kind: z.literal('artefact'), artefact: z.object({ path: TEXT }) });

/** A file address as VS Code hands it to commands of the explorer. */
const FILE_ADDRESS = z.object({ scheme: z.literal('file'), fsPath: TEXT });

/** What a command was called for, checked: tree items and files as paths, everything else as it was asked for. */
export interface Target {
  /** Artefacts that were selected, in the order of the selection. */
  readonly paths: readonly string[];
  readonly base?: string | undefined;
  readonly adapters?: readonly string[] | undefined;
  readonly type?: string | undefined;
  readonly out?: string | undefined;
  readonly name?: string | undefined;
  /** What a plan's page asks for again; everything else is as it was chosen. */
  readonly ask?: ChangeField | undefined;
}

/**
 * Reads the arguments of a command: an item and the selection of a tree or the explorer, a path, a request, or nothing.
 * What is none of these counts as nothing, so that the command asks.
 */
export function readTarget(args: readonly unknown[]): Target {
  const [first, second] = args;
  const selected = Array.isArray(second) ? (second as readonly unknown[]).flatMap(pathOf) : [];
  const own = pathOf(first);
  if (own.length > 0 || selected.length > 0) {
    // A context menu acts on the selection only when it was opened on a part of it.
    return {
      paths: own.length === 0 || selected.includes(own[0]!) ? [...new Set(selected.length > 0 ? selected : own)] : own,
    };
  }
  const request = REQUEST.safeParse(first);
  if (!request.success) {
    return { paths: [] };
  }
  const { path, ...rest } = request.data;
  return { paths: path === undefined ? [] : [path], ...rest };
}

function pathOf(value: unknown): string[] {
  const item = ARTEFACT_ITEM.safeParse(value);
  if (item.success) {
    return [item.data.artefact.path];
  }
  const file = FILE_ADDRESS.safeParse(value);
  if (file.success) {
    return [file.data.fsPath];
  }
  const text = TEXT.safeParse(value);
  return text.success ? [text.data] : [];
}

/** Everything that was chosen before, but for what is asked again. */
export function withoutAsked({ ask, ...rest }: Target): Target {
  return ask === undefined ? rest : { ...rest, [ask]: undefined };
}

/** The place of a result after its type was changed: a name that told the old type tells the new one. */
export function retyped(out: string, before: string | undefined, after: string): string {
  const name = basename(out);
  const at = before === undefined ? -1 : name.toLowerCase().lastIndexOf(before.toLowerCase());
  return at < 0 ? out : join(dirname(out), `${name.slice(0, at)}${after}${name.slice(at + before!.length)}`);
}
