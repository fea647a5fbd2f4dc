import { quoteText } from '../../golang/quote';
import { goDate } from '../dateFormat';
import { HOLE } from './marks';
import type { Piece } from './pieceTable';

/** What Go would take for an action, or Ollama's Modelfile parser would drop. */
const SPECIAL =
  /\{\{|"""|[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/g;

/** Text that comes out of a Go template as it is. */
export function escapeLiteral(text: string): string {
  return text.replace(SPECIAL, (special) => `{{ ${quoteText(special)} }}`);
}

/** A place where Go template text is written, with white space that counts only where text has it. */
export class GoText {
  private text = '';
  private readonly definitions = new Map<string, true>();
  /** A control action may stand on a line of its own: nothing before it that the trim mark would take. */
  private mayTrim = true;

  /** @param holes what the placeholders become */
  constructor(private readonly holes: ReadonlyMap<string, string>) {}

  /** Adds a definition once, before everything else. */
  define(definition: string): void {
    this.definitions.set(definition, true);
  }

  /** An action that prints nothing: `if`, `range`, `end`, an assignment. */
  control(action: string): this {
    if (this.mayTrim) {
      this.text += `${this.text === '' ? '' : '\n'}{{- ${action} }}`;
    } else {
      this.action(action);
    }
    this.mayTrim = true;
    return this;
  }

  /** An action that prints something. */
  output(action: string): this {
    this.action(action);
    this.mayTrim = true;
    return this;
  }

  /** A call of a definition: it may print white space, so nothing is put before it. */
  call(action: string): this {
    this.action(action);
    this.mayTrim = true;
    return this;
  }

  private action(action: string): void {
    this.raw(`{{ ${action} }}`);
  }

  /** Go takes the first two of three braces for the beginning of an action. */
  private raw(text: string): void {
    if (text.startsWith('{{') && this.text.endsWith('{')) {
      this.text = `${this.text.slice(0, -1)}{{ "{" }}`;
    }
    this.text += text;
  }

  pieces(pieces: readonly Piece[]): this {
    for (const piece of pieces) {
      if (typeof piece === 'string') {
        this.literal(piece);
        continue;
      }
      this.control(`if ${piece.condition}`).pieces(piece.then);
      if (piece.otherwise.length > 0) {
        this.control('else').pieces(piece.otherwise);
      }
      this.control('end');
    }
    return this;
  }

  /** Text with placeholders; what Go would take for an action, or Ollama's Modelfile parser would drop, is written as a constant. */
  literal(text: string): this {
    for (const part of text.split(/([\ue001-\ue006]|\ue007[^\ue008]*\ue008)/)) {
      if (part.startsWith(HOLE.dateStart)) {
        this.date(part.slice(1, -1));
      } else if (this.holes.has(part)) {
        this.raw(this.holes.get(part) ?? '');
        this.mayTrim = true;
      } else if (part !== '') {
        this.raw(escapeLiteral(part));
        this.mayTrim = !/\s$/.test(this.text);
      }
    }
    return this;
  }

  private date(format: string): void {
    const date = goDate(format);
    this.raw(date?.text ?? '');
    date?.definitions.forEach((definition) => this.define(definition));
    this.mayTrim = true;
  }

  toString(): string {
    const definitions = [...this.definitions.keys()].join('\n');
    return `${definitions}${definitions !== '' && this.text.startsWith('{{-') ? '\n' : ''}${this.text}`;
  }
}
