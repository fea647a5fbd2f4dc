import { pythonJson } from './jsonText';
import { after, beforeMark, between, commonPrefix, commonSuffix, HOLE, MARKS } from './marks';
import type { ToolTurnShape } from './chatShape';

/** A turn with calls, cut at the names and arguments. */
export interface SplitCall {
  readonly head: string;
  readonly middle: string;
  /** Between the first call's arguments and the second one's name. */
  readonly gap?: string | undefined;
  readonly tail: string;
}

/** Cuts a turn with one call or two; undefined where they are not there in this order, their arguments as JSON on one line. */
export function splitCall(text: string, count: number): SplitCall | undefined {
  const own = [1, 2].reduce((all, number) => all.replaceAll(MARKS.callId(number), HOLE.callId), text);
  const json = (number: number): string => pythonJson({ city: MARKS.argument(number) }, { base: 0 });
  const head = beforeMark(own, MARKS.tool(1));
  const middle = between(own, MARKS.tool(1), json(1));
  const rest = after(own, json(1));
  if (head === undefined || middle === undefined || rest === undefined) {
    return undefined;
  }
  if (count === 1) {
    return { head, middle, tail: rest };
  }
  const gap = beforeMark(rest, MARKS.tool(2));
  const tail = after(rest, json(2));
  return gap === undefined || tail === undefined ? undefined : { head, middle, gap, tail };
}

/** What a turn with calls is made of. */
export type CallParts = Pick<
  ToolTurnShape,
  'beforeCalls' | 'beforeName' | 'beforeArguments' | 'afterArguments' | 'betweenCalls' | 'afterCalls'
>;

/** What belongs to one call, and what to all of them: seen where there are two. */
export function splitItems(one: SplitCall, two: SplitCall | undefined): CallParts {
  const { head, tail, middle } = one;
  const gap = two?.gap;
  if (gap === undefined) {
    const start = Math.max(head.lastIndexOf('{'), 0);
    const closing = head[start] === '{' && tail.startsWith('}') ? '}' : '';
    return {
      beforeCalls: head.slice(0, start),
      beforeName: head.slice(start),
      beforeArguments: middle,
      afterArguments: closing,
      betweenCalls: '',
      afterCalls: tail.slice(closing.length),
    };
  }
  const beforeName = commonSuffix(head, gap);
  const rest = gap.slice(0, gap.length - beforeName.length);
  const afterArguments = commonPrefix(rest, tail);
  return {
    beforeCalls: head.slice(0, head.length - beforeName.length),
    beforeName,
    beforeArguments: middle,
    afterArguments,
    betweenCalls: rest.slice(afterArguments.length),
    afterCalls: tail.slice(afterArguments.length),
  };
}
