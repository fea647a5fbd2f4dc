import { dirname } from 'node:path';
import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { toCreateRequest } from '../../core/modelfile/createRequest';
import { marshalCreateRequest } from '../../core/modelfile/marshalCreateRequest';
import type { ModelfileCommand } from '../../core/modelfile/modelfileTypes';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { createRefusal } from '../../core/modelfile/createRefusal';
import { judgedFor, type OllamaProfile } from '../../core/ollama/ollamaProfile';
import { findOllamaProfile, installedOllamaVersion } from '../../node/ollama/whichOllama';
import { localFileResolver } from '../../node/modelfile/modelfileFiles';
import { readSmallFile } from '../../node/files/textFile';

export interface ModelfileCommandArgs {
  readonly paths: readonly string[];
  readonly json: boolean;
  readonly signal: AbortSignal;
  /** The version of Ollama that counts, `0.34.4`; else that of the installed program, else the newest known. */
  readonly ollamaVersion?: string | undefined;
}

/** Which Ollama counts when no server is asked. */
export function profileOf({ ollamaVersion, signal }: ModelfileCommandArgs): Promise<OllamaProfile> {
  return findOllamaProfile({ given: ollamaVersion, program: () => installedOllamaVersion(signal) });
}

/** The Ollama that something was judged for, for `--json`. */
export function profileJson(profile: OllamaProfile): unknown {
  const { version, source, isNewerThanKnown } = profile;
  return { version, source, isNewerThanKnown, judged: judgedFor(profile) };
}

export interface ModelfileCommandResult {
  readonly exitCode: number;
  readonly json: unknown;
  readonly text: string;
}

/** One entry of `parse --json`. */
type ParsedFile =
  | {
      readonly path: string;
      readonly ok: true;
      readonly commands: readonly ModelfileCommand[];
      readonly request?: unknown;
      readonly requestError?: string;
      /** Why `ollama create` refuses what its parser takes. */
      readonly createError?: string;
    }
  | { readonly path: string; readonly ok: false; readonly error: unknown; readonly line?: number };

/** `parse FILE…`: a Modelfile as Ollama sees it. Files that FROM and ADAPTER name are read for their digests. */
export async function parseCommand(args: ModelfileCommandArgs): Promise<ModelfileCommandResult> {
  const files: ParsedFile[] = [];
  const profile = await profileOf(args);
  for (const path of args.paths) {
    files.push(await parseFile(path, profile, args.signal));
  }
  return {
    exitCode: files.every(({ ok }) => ok) ? 0 : 1,
    json: { ollama: profileJson(profile), files },
    text: [...files.map(describe), judgedFor(profile)].join('\n'),
  };
}

async function parseFile(path: string, profile: OllamaProfile, signal: AbortSignal): Promise<ParsedFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readSmallFile(path, signal);
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'run/cancelled') {
      throw error;
    }
    return { path, ok: false, error: error.toJSON() };
  }
  const { verdict } = parseModelfile(bytes);
  if (!verdict.ok) {
    return { path, ok: false, error: verdict.error, ...(verdict.line === undefined ? {} : { line: verdict.line }) };
  }
  const { commands } = verdict;
  const built = await toCreateRequest(commands, localFileResolver(dirname(path), { signal, profile }));
  const marshalled = built.ok ? marshalCreateRequest(built.request) : built;
  const createError = createRefusal(commands, profile);
  return marshalled.ok
    ? {
        path,
        ok: true,
        commands,
        request: exactJson(marshalled.json),
        ...(createError === undefined ? {} : { createError }),
      }
    : { path, ok: true, commands, requestError: marshalled.error };
}

/** -0 and integers that a double may not hold, as they are spelt; within strings too, where they do no harm. */
const UNSAFE_NUMBER = /-0[,}\]]|[0-9]{16}/;

/**
 * JSON text as a value that `JSON.stringify` writes back number by number as it was: 64-bit integers and -0 are kept
 * as raw text where the runtime can (Node 22).
 */
export function exactJson(text: string): unknown {
  if (!UNSAFE_NUMBER.test(text)) {
    return JSON.parse(text);
  }
  const raw = (JSON as unknown as { rawJSON?: (source: string) => unknown }).rawJSON;
  const revive = (_: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    return typeof value === 'number' && raw !== undefined && source !== undefined && String(value) !== source
      ? raw(source)
      : value;
  };
  return JSON.parse(text, revive);
}

function describe(file: ParsedFile): string {
  const path = escapeControls(file.path);
  if (!file.ok) {
    const error = typeof file.error === 'string' ? file.error : (file.error as { message: string }).message;
    return `${path}: ${escapeControls(error)}`;
  }
  const commands = file.commands.map(
    ({ name, args }) => `  ${escapeControls(name)} ${escapeControls(JSON.stringify(args))}`,
  );
  const refusal = file.requestError ?? file.createError;
  const end = refusal === undefined ? '  accepted' : `  refused: ${escapeControls(refusal)}`;
  return [`${path}:`, ...commands, end].join('\n');
}
