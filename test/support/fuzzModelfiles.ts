import { edgeCases } from '../modelfile/edgeCases';
import { answerModelfile, oracleAnswer } from './compareModelfile';
import type { FuzzKind, Verdict } from './fuzz';
import type { GoOracle } from './goOracle';
import { encode, mutate, randomModelfile } from './modelfileGenerator';
import { Random } from './random';

const edges = edgeCases().map((bytes) => Buffer.from(bytes).toString('utf8'));

/** Generated Modelfiles, mutated ones, mutated edge cases, in every encoding, damaged or not; paths are looked up in `folder`, as `version` does. */
export function modelfileKind(folder: string, version: string): FuzzKind<Buffer> {
  return {
    name: 'Modelfiles',
    make(seed) {
      const random = new Random(seed);
      const edge = random.chance(0.2);
      const plain = edge ? random.pick(edges) : randomModelfile(random);
      const text = edge || random.chance(0.5) ? mutate(random, plain) : plain;
      return Buffer.from(random.chance(0.3) ? encode(random, text) : text);
    },
    async compare(input, oracle) {
      return compareModelfiles(input, folder, version, oracle);
    },
    pieces: (input) => Array.from(input, (byte) => String.fromCharCode(byte)),
    withPieces: (_, pieces) => Buffer.from(pieces.join(''), 'latin1'),
    show: (input) =>
      input.equals(Buffer.from(input.toString('utf8'), 'utf8'))
        ? input.toString('utf8')
        : { base64: input.toString('base64') },
  };
}

async function compareModelfiles(source: Buffer, folder: string, version: string, oracle: GoOracle): Promise<Verdict> {
  const raw = await oracle.askRaw({ op: 'parse', base64: source.toString('base64'), dir: folder });
  if (raw.includes('"timeout":true')) {
    return { outcomes: ['no verdict in time'] };
  }
  const ours = await answerModelfile(source, folder, version);
  const theirs = oracleAnswer(raw);
  const outcome = !theirs.ok ? 'refused' : theirs.request === undefined ? 'no request' : 'request';
  return {
    outcomes: [outcome],
    ...(JSON.stringify(ours) === JSON.stringify(theirs) ? {} : { difference: { ours, theirs } }),
  };
}
