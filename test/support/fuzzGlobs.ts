import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerModelfile, oracleAnswer } from './compareModelfile';
import type { FuzzKind } from './fuzz';
import type { Random } from './random';
import { Random as Source } from './random';

/** One pattern behind FROM or DRAFT, looked up from one of the folders. */
interface Question {
  readonly keyword: 'FROM' | 'DRAFT';
  readonly pattern: string;
  readonly folder: string;
}

/** Names that patterns take apart: what is special to them, what is more than one byte, what sorts otherwise by letters than by bytes. */
const NAMES = [
  'a.gguf',
  'b.gguf',
  'B.gguf',
  'ab.gguf',
  'm1.gguf',
  'm[1].gguf',
  'm[1',
  'm1]',
  'part-00001-of-00002.gguf',
  'part-00002-of-00002.gguf',
  'a-c',
  'a^b',
  '^',
  '-',
  ']',
  'ü.gguf',
  'Stück-ü1.gguf',
  'é',
  'e\u0301',
  '🦙.gguf',
  '\u{10ffff}z',
  '\ud7ff.gguf',
  'two words.gguf',
  '.hidden.gguf',
  '**',
  'what?',
  'back\\slash.gguf',
  'x\u00a0y',
];
const FOLDERS = ['.', 'in[x]side', 'inxside', 'odd*', 'a]b', 'back\\folder', 'deep', 'deep/er', 'ünter'];
const PIECES = [
  '*',
  '?',
  '[',
  ']',
  '[^',
  '-',
  '\\',
  '**',
  '/',
  '..',
  '.',
  'm',
  '1',
  '.gguf',
  'a',
  'é',
  '🦙',
  '[a-',
  '[]a]',
  '[z-a]',
  '[\\]]',
  '[\\-a]',
  '[^^]',
  ' ',
];

/** Fills a folder with folders of such names. */
export function writeFilesForGlobs(folder: string): void {
  const binary = Uint8Array.from({ length: 600 }, (_, i) => (i * 7) % 256);
  for (const below of FOLDERS) {
    mkdirSync(join(folder, below), { recursive: true });
    for (const [at, name] of NAMES.entries()) {
      // Every file has bytes of its own, so that the digests tell which ones matched.
      writeFileSync(join(folder, below, name), Uint8Array.of(...binary, at, below.length));
    }
    // Not UTF-8: a name of bytes.
    writeFileSync(Buffer.concat([Buffer.from(join(folder, below)), Buffer.from([0x2f, 0x62, 0xff, 0xfe])]), binary);
  }
}

/** Patterns made of names that are there, and of pieces, well-formed or not, against Go's `filepath.Glob` as Ollama calls it. */
export function globKind(root: string, version: string): FuzzKind<Question> {
  return {
    name: 'globs',
    make(seed) {
      const random = new Source(seed);
      return {
        keyword: random.chance(0.8) ? 'FROM' : 'DRAFT',
        pattern: pathPattern(random),
        folder: random.chance(0.5) ? '.' : random.pick(FOLDERS),
      };
    },
    async compare(question, oracle) {
      const text = textOf(question);
      const folder = join(root, question.folder);
      const raw = await oracle.askRaw({ op: 'parse', text, dir: folder });
      if (raw.includes('"timeout":true')) {
        return { outcomes: ['no verdict in time'] };
      }
      const ours = await answerModelfile(text, folder, version);
      if (ours.requestError?.includes('has a name that is not UTF-8') === true) {
        return { outcomes: ['a name of bytes'] };
      }
      const theirs = oracleAnswer(raw);
      const outcome =
        theirs.requestError?.includes('syntax error in pattern') === true
          ? 'bad pattern'
          : theirs.request?.includes('sha256:') === true
            ? 'files'
            : theirs.request === undefined
              ? 'refused'
              : 'a name';
      return {
        outcomes: [outcome],
        ...(JSON.stringify(ours) === JSON.stringify(theirs) ? {} : { difference: { ours, theirs } }),
      };
    },
    pieces: ({ pattern }) => Array.from(pattern),
    withPieces: (question, pieces) => ({ ...question, pattern: pieces.join('') }),
    show: (question) => question,
  };
}

function textOf({ keyword, pattern }: Question): string {
  return `${keyword === 'DRAFT' ? 'FROM llama3.2\n' : ''}${keyword} ${pattern}\n`;
}

function pathPattern(random: Random): string {
  const segments = random.times(0, 2, () =>
    random.chance(0.6) ? spoilt(random, random.pick(FOLDERS)) : loose(random),
  );
  const last = random.chance(0.75) ? spoilt(random, random.pick(NAMES)) : loose(random);
  const lead = random.chance(0.3) ? './' : '';
  // Below the folder of the run, and nowhere else on the disk.
  return `${lead}${[...segments, last].join('/')}`.replace(/^[\\/~]+/, '').replaceAll('..', '.');
}

function loose(random: Random): string {
  return random.times(1, 5, () => random.pick(PIECES)).join('');
}

/** A name with some of its characters put as a pattern would, and sometimes a piece too many. */
function spoilt(random: Random, name: string): string {
  const spelt = Array.from(name, (character) => {
    switch (random.below(14)) {
      case 0:
        return '?';
      case 1:
        return `[${character}]`;
      case 2:
        return `[\\${character}]`;
      case 3:
        return `\\${character}`;
      case 4:
        return '*';
      case 5:
        return `[^${random.pick(PIECES)}]`;
      case 6:
        return `[${random.pick(['a', '0', character, ' '])}-${random.pick(['z', 'ÿ', character, '\u{10ffff}'])}]`;
      default:
        return character;
    }
  }).join('');
  if (!random.chance(0.15)) {
    return spelt;
  }
  const at = random.below(spelt.length + 1);
  return spelt.slice(0, at) + random.pick(PIECES) + spelt.slice(at);
}
