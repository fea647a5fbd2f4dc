import { LIMITS } from '../../limits';
import { PICKLE, PICKLE_OPCODES } from './pickleOpcodes';

/** What one pickle stream would import if it were loaded, which it never is. */
export interface PickleImports {
  /** `module.name`, each once, in the order of the stream; `?` stands for a part that is only known when it runs. */
  readonly imports: readonly string[];
  /** Whether the stream was followed to its last pickle's end, within all caps. */
  readonly isComplete: boolean;
}

const STRINGS: ReadonlySet<number> = new Set([
  PICKLE.string,
  PICKLE.binString,
  PICKLE.shortBinString,
  PICKLE.unicode,
  PICKLE.binUnicode,
  PICKLE.shortBinUnicode,
  PICKLE.binUnicode8,
]);
/** Opcodes that put nothing new on the stack, or of which what they leave there does not matter. */
const NEUTRAL: ReadonlySet<number> = new Set(
  Array.from('0aesub.', (code) => code.charCodeAt(0)).concat(0x80, 0x95, 0x90),
);
/** PyTorch's old format is five pickles in a row. */
const PICKLES_IN_A_ROW = 5;
const LATEST_PUSHES = 64;

/**
 * Walks the opcodes of pickles that stand one after the other at the start of `bytes`, without executing any. Caps:
 * {@link LIMITS.pickle}. Only strings are followed, which is what the names of imports are made of.
 */
export function walkPickle(bytes: Uint8Array): PickleImports {
  const walk = new PickleWalk(bytes);
  let isComplete = false;
  for (let count = 0; count < PICKLES_IN_A_ROW; count++) {
    isComplete = walk.onePickle();
    if (!isComplete || !walk.startsAnother()) {
      break;
    }
  }
  return { imports: [...walk.imports], isComplete };
}

class PickleWalk {
  readonly imports = new Set<string>();
  private at = 0;
  private opcodes = 0;
  private readonly view: DataView;
  /** The latest values pushed: a string, or undefined for anything else. */
  private pushed: (string | undefined)[] = [];
  private memo = new Map<number, string | undefined>();

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  startsAnother(): boolean {
    return this.bytes[this.at] === PICKLE.proto;
  }

  /** Follows one pickle; whether its end was reached. */
  onePickle(): boolean {
    this.pushed = [];
    this.memo = new Map();
    for (;;) {
      const opcode = this.bytes[this.at];
      const argument = opcode === undefined ? undefined : this.argument(opcode);
      if (
        opcode === undefined ||
        argument === undefined ||
        ++this.opcodes > LIMITS.pickle.opcodes ||
        this.imports.size > LIMITS.pickle.imports
      ) {
        return false;
      }
      if (opcode === PICKLE.stop) {
        return true;
      }
      this.follow(opcode, argument);
    }
  }

  /** The argument of the opcode at the cursor, which moves behind it; undefined for an unknown opcode or at the end. */
  private argument(opcode: number): Uint8Array | undefined {
    const kind = PICKLE_OPCODES.get(opcode);
    const start = this.at + 1;
    if (kind === undefined) {
      return undefined;
    }
    switch (kind.kind) {
      case 'none':
        return this.take(start, 0);
      case 'fixed':
        return this.take(start, kind.bytes);
      case 'lines':
        return this.lines(start, kind.lines);
      case 'counted':
        return this.countedBytes(start, kind.lengthBytes);
    }
  }

  private lines(start: number, count: number): Uint8Array | undefined {
    let end = start - 1;
    for (let line = 0; line < count; line++) {
      end = this.bytes.indexOf(0x0a, end + 1);
      if (end === -1) {
        return undefined;
      }
    }
    const text = this.take(start, end - start);
    this.at = end + 1;
    return text;
  }

  private countedBytes(start: number, lengthBytes: 1 | 4 | 8): Uint8Array | undefined {
    if (start + lengthBytes > this.bytes.length) {
      return undefined;
    }
    const length =
      lengthBytes === 1
        ? this.view.getUint8(start)
        : lengthBytes === 4
          ? this.view.getUint32(start, true)
          : Number(this.view.getBigUint64(start, true));
    return this.take(start + lengthBytes, length);
  }

  private take(start: number, length: number): Uint8Array | undefined {
    if (start + length > this.bytes.length) {
      return undefined;
    }
    this.at = start + length;
    return this.bytes.subarray(start, start + length);
  }

  private follow(opcode: number, argument: Uint8Array): void {
    if (STRINGS.has(opcode)) {
      this.push(shortText(argument));
      return;
    }
    switch (opcode) {
      case PICKLE.global:
      case PICKLE.inst: {
        const [module, name] = shortText(argument).split('\n', 2);
        this.import(module, name);
        break;
      }
      case PICKLE.stackGlobal:
        this.import(this.pushed.at(-2), this.pushed.at(-1));
        break;
      case PICKLE.dup:
        this.push(this.pushed.at(-1));
        break;
      case PICKLE.memoize:
        this.remember(this.memo.size);
        break;
      case PICKLE.put:
      case PICKLE.binPut:
      case PICKLE.longBinPut:
        this.remember(index(argument, opcode === PICKLE.put));
        break;
      case PICKLE.get:
      case PICKLE.binGet:
      case PICKLE.longBinGet:
        this.push(this.memo.get(index(argument, opcode === PICKLE.get)));
        break;
      case PICKLE.pop:
        this.pushed.pop();
        break;
      default:
        if (!NEUTRAL.has(opcode)) {
          this.push(undefined);
        }
    }
  }

  private push(value: string | undefined): void {
    this.pushed.push(value);
    if (this.pushed.length > 2 * LATEST_PUSHES) {
      this.pushed = this.pushed.slice(-LATEST_PUSHES);
    }
  }

  private remember(place: number): void {
    this.memo.set(place, this.pushed.at(-1));
  }

  private import(module: string | undefined, name: string | undefined): void {
    this.imports.add(`${module ?? '?'}.${name ?? '?'}`);
    this.push(undefined);
  }
}

/** A place in the memo: decimal text or a little-endian number. */
function index(argument: Uint8Array, isText: boolean): number {
  return isText ? Number(shortText(argument)) : argument.reduceRight((value, byte) => value * 256 + byte, 0);
}

/** Names are short: more of a text is not kept. Quotes of protocol 0 fall away. */
function shortText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, LIMITS.pickle.textBytes)).replace(/^(['"])(.*)\1$/s, '$2');
}
