import type { Position } from 'vscode-languageserver-types';
import { LineIndex } from '../../src/core/modelfile/lineIndex';

/** A text with its `¦` taken out, and where that stood. */
export function marked(text: string): { readonly text: string; readonly position: Position } {
  const at = text.indexOf('¦');
  if (at < 0) {
    throw new Error('no mark');
  }
  const plain = text.slice(0, at) + text.slice(at + 1);
  return { text: plain, position: new LineIndex(plain).position(at) };
}
