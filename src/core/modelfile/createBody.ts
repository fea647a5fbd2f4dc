import type { CreateRequest } from './createRequest';
import { marshalCreateRequest } from './marshalCreateRequest';
import { StudioError } from '../errors';

/** What `/api/create` is told besides the Modelfile. */
export interface CreateTarget {
  readonly name: string;
  /** Has the server quantise: F32, F16, BF16, Q8_0, Q4_K_S or Q4_K_M. */
  readonly quantize?: string | undefined;
}

/**
 * The body of `/api/create`, numbers spelled as Ollama's own command line spells them.
 * @throws StudioError modelfile/syntax for a parameter that is no finite number
 */
export function createBody(request: CreateRequest, { name, quantize }: CreateTarget): string {
  const marshalled = marshalCreateRequest(request);
  if (!marshalled.ok) {
    throw new StudioError(
      'modelfile/syntax',
      `A PARAMETER is no finite number (${marshalled.error}). Correct it; lint shows the line.`,
    );
  }
  const fields = marshalled.json.replace(/^\{"model":""/, '').replace(/,?"name":""\}$/, '');
  const quantise = quantize === undefined ? '' : `,"quantize":${JSON.stringify(quantize)}`;
  return `{"model":${JSON.stringify(name)}${fields}${quantise},"stream":true}`;
}

/**
 * The name under which a file is announced: relative, unique among `taken`, with the ending that tells the server its kind.
 * @param taken names that are given already; the result is added
 */
export function announcedName(fileName: string, taken: Set<string>): string {
  const plain = fileName.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_') || 'file';
  let name = plain;
  for (let count = 2; taken.has(name); count += 1) {
    name = `${count}-${plain}`;
  }
  taken.add(name);
  return name;
}
