import { localFileResolver } from '../../src/node/modelfile/modelfileFiles';
import { ollamaProfile } from '../../src/core/ollama/ollamaProfile';
import { toCreateRequest } from '../../src/core/modelfile/createRequest';
import { marshalCreateRequest } from '../../src/core/modelfile/marshalCreateRequest';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';

/** Our answer in the form of the oracle's, the request as JSON text. */
export interface ModelfileAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly line?: number;
  readonly commands?: readonly { readonly name: string; readonly args: string }[];
  readonly request?: string;
  readonly requestError?: string;
}

/** @param version the Ollama whose parser is followed */
export async function answerModelfile(
  source: Uint8Array | string,
  folder: string,
  version: string,
): Promise<ModelfileAnswer> {
  const { verdict } = parseModelfile(source);
  if (!verdict.ok) {
    return { ok: false, error: verdict.error, ...(verdict.line === undefined ? {} : { line: verdict.line }) };
  }
  const { commands } = verdict;
  const built = await toCreateRequest(commands, localFileResolver(folder, { profile: ollamaProfile(version) }));
  const marshalled = built.ok ? marshalCreateRequest(built.request) : built;
  return marshalled.ok
    ? { ok: true, commands, request: marshalled.json }
    : { ok: true, commands, requestError: marshalled.error };
}

/** The oracle's answer line in the same form: its request is the text between the keys around it. */
export function oracleAnswer(raw: string): ModelfileAnswer {
  const parsed = JSON.parse(raw) as Omit<ModelfileAnswer, 'request'> & { request?: unknown };
  const { ok, error, line, commands, requestError } = parsed;
  const at = raw.lastIndexOf(',"request":');
  return {
    ok,
    ...(error === undefined ? {} : { error }),
    ...(line === undefined ? {} : { line }),
    ...(commands === undefined ? {} : { commands: commands.map(({ name, args }) => ({ name, args })) }),
    ...(parsed.request === undefined ? {} : { request: raw.slice(at + 11, -1) }),
    ...(requestError === undefined ? {} : { requestError }),
  };
}
