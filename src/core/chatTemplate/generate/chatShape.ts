import type { JsonLayout } from './jsonText';
import type { Sample } from './pieceTable';

/** How tools are told. */
export interface ToolListShape {
  readonly layout: JsonLayout;
  /** `{"type": "function", "function": …}`, or the function alone. */
  readonly whole: boolean;
  readonly separator: string;
}

/** How calls and results are written. */
export interface ToolTurnShape {
  /** Calls without text do not begin as answers do. */
  readonly ownStart: boolean;
  /** The text of a turn with calls is left out. */
  readonly dropsText: boolean;
  /** Calls are written at all: some templates know results only. */
  readonly writesCalls: boolean;
  readonly beforeCalls: string;
  readonly beforeCallsWithText: string;
  readonly beforeName: string;
  readonly beforeArguments: string;
  readonly afterArguments: string;
  readonly betweenCalls: string;
  readonly afterCalls: string;
  readonly resultBefore: readonly Sample[];
  readonly resultAfter: readonly Sample[];
  /** Whether the result is written as a JSON string. */
  readonly resultIsJson: boolean;
}

/** What becomes of a system message that is not the first message. */
export type LaterSystem =
  /** Written where it stands. */
  | { readonly kind: 'inline'; readonly before: string; readonly after: string }
  /** Left out; or taken instead of the first. */
  | { readonly kind: 'ignored' | 'last' }
  /** Written at the top, or the template refuses: all system messages go there. */
  | { readonly kind: 'top' };

/** A chat template taken apart. Texts have placeholders (`HOLE`). */
export interface ChatShape {
  /** Before a question; told apart by `first`, `lastUser`, `last`, `system`, `tools`, `thinkOn`, `thinkOff`. */
  readonly userBefore: readonly Sample[];
  readonly userAfter: string;
  /** Before an answer; told apart by `thinking`, `current`, `last`, `callsOnly`, `afterResult`. */
  readonly assistantBefore: readonly Sample[];
  readonly assistantAfter: string;
  /** What begins the answer; told apart by `thinkOn`, `thinkOff`, `afterResult`. */
  readonly generation: readonly Sample[];
  readonly laterSystem: LaterSystem;
  readonly toolList?: ToolListShape | undefined;
  readonly toolTurn?: ToolTurnShape | undefined;
}

/** Why a template cannot be taken apart. */
export interface ShapeFailure {
  readonly failure: string;
}
