import { append } from '../append';
import { StudioError } from '../errors';
import type { AnswerEvent, ModelAnswer } from './ollamaModels';

/** A piece of an answer, of `chat` or `generate`; durations in nanoseconds. */
export interface AnswerPiece {
  readonly text?: string | undefined;
  readonly thinking?: string | undefined;
  readonly toolCalls: readonly unknown[];
  readonly done_reason?: string | undefined;
  readonly total_duration?: number | undefined;
  readonly load_duration?: number | undefined;
  readonly prompt_eval_count?: number | undefined;
  readonly prompt_eval_duration?: number | undefined;
  readonly eval_count?: number | undefined;
  readonly eval_duration?: number | undefined;
}

const NANOSECONDS = 1e9;
/** UTF-16 units of one answer: no context of any model holds as much, and a server that never ends must not fill the memory. */
const MAX_TEXT = 32 * 1024 * 1024;
const MAX_TOOL_CALLS = 10_000;

/** Puts the pieces of an answer together. */
export class AnswerCollector {
  private readonly text: string[] = [];
  private readonly thinking: string[] = [];
  private readonly toolCalls: unknown[] = [];
  private length = 0;
  private last: AnswerPiece | undefined;

  /**
   * The events of a piece.
   * @throws StudioError ollama/protocol for an answer without end
   */
  *add(piece: AnswerPiece): Generator<AnswerEvent> {
    const { text = '', thinking = '', toolCalls } = piece;
    this.length += text.length + thinking.length;
    append(this.toolCalls, toolCalls);
    if (this.length > MAX_TEXT || this.toolCalls.length > MAX_TOOL_CALLS) {
      throw new StudioError(
        'ollama/protocol',
        'The answer is longer than any model writes, and was left. Check that the address is that of an Ollama server; num_predict limits an answer.',
      );
    }
    this.last = piece;
    if (thinking !== '') {
      this.thinking.push(thinking);
      yield { event: 'thinking', text: thinking };
    }
    if (text !== '') {
      this.text.push(text);
      yield { event: 'text', text };
    }
  }

  /** All of it; the last piece has the figures. */
  whole(): ModelAnswer {
    const { last } = this;
    return {
      text: this.text.join(''),
      thinking: this.thinking.join(''),
      toolCalls: this.toolCalls,
      stopReason: last?.done_reason === '' ? undefined : last?.done_reason,
      promptTokens: last?.prompt_eval_count ?? 0,
      tokens: last?.eval_count ?? 0,
      tokensPerSecond: rate(last?.eval_count, last?.eval_duration),
      promptTokensPerSecond: rate(last?.prompt_eval_count, last?.prompt_eval_duration),
      loadSeconds: (last?.load_duration ?? 0) / NANOSECONDS,
      seconds: (last?.total_duration ?? 0) / NANOSECONDS,
    };
  }
}

function rate(count: number | undefined, duration: number | undefined): number | undefined {
  return count === undefined || duration === undefined || duration === 0 ? undefined : count / (duration / NANOSECONDS);
}
