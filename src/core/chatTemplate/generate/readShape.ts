import type { ToolListShape, ToolTurnShape, LaterSystem, ChatShape, ShapeFailure } from './chatShape';
import type { JinjaObject } from '../chatFormat';
import { JSON_LAYOUTS, pythonJson, type JsonLayout } from './jsonText';
import { after, beforeMark, between, commonPrefix, HOLE, MARKS } from './marks';
import type { Sample } from './pieceTable';
import { PROBE_TOOLS, type ProbeAnswers, type ProbeKey, type ShapeName } from './probeJinja';
import { splitCall, splitItems } from './splitCall';

/** Takes a template apart by what it makes of the probes; or says at which it stops. */
export function readShape(answers: ProbeAnswers): ChatShape | ShapeFailure {
  const reader = new ShapeReader(answers);
  return reader.read();
}

class ShapeReader {
  private readonly toolList: ToolListShape | undefined;

  constructor(private readonly answers: ProbeAnswers) {
    const text = answers.text({ shape: 'question', tools: true });
    this.toolList = text === undefined ? undefined : findToolList(text);
  }

  /** A rendering with the list of tools punched out. */
  private text(key: ProbeKey): string | undefined {
    const text = this.answers.text(key);
    return text === undefined || this.toolList === undefined || key.tools !== true
      ? text
      : resultIds(withoutToolList(text, this.toolList));
  }

  read(): ChatShape | ShapeFailure {
    const question = this.text({ shape: 'question' });
    const second = this.text({ shape: 'second' }) ?? '';
    if (question === undefined) {
      return { failure: 'The template renders no conversation of one question.' };
    }
    const [u1, a1, u2] = [MARKS.user(1), MARKS.assistant(1), MARKS.user(2)];
    const toAnswer = between(second, u1, a1) ?? between(this.text({ shape: 'answered' }) ?? '', u1, a1);
    const begun = after(question, u1);
    if (toAnswer === undefined || begun === undefined) {
      return { failure: 'The template does not write what it is given in the order in which it is given.' };
    }
    const userAfter = sharedStart(after(this.text({ shape: 'openQuestion' }) ?? question, u1) ?? '', [begun, toAnswer]);
    const answerEnd = after(this.text({ shape: 'answered' }) ?? '', a1) ?? '';
    const toNext = between(second, a1, u2) ?? answerEnd;
    const assistantAfter = sharedStart(answerEnd, [toNext]);
    const toolTurn =
      this.toolList === undefined
        ? undefined
        : this.toolTurn(userAfter, assistantAfter, toAnswer.slice(userAfter.length));
    return {
      userBefore: this.userBefore(assistantAfter),
      userAfter,
      assistantBefore: this.assistantBefore(userAfter, toolTurn),
      assistantAfter,
      generation: this.generation(userAfter, toolTurn),
      laterSystem: this.laterSystem(assistantAfter),
      toolList: this.toolList,
      toolTurn,
    };
  }

  private laterSystem(assistantAfter: string): LaterSystem {
    const text = this.text({ shape: 'laterSystem' });
    const usual = between(this.text({ shape: 'second' }) ?? '', MARKS.assistant(1), MARKS.user(2));
    const piece = text === undefined ? undefined : between(text, MARKS.assistant(1), MARKS.user(2));
    if (text === undefined || piece === undefined || usual?.startsWith(assistantAfter) !== true) {
      return { kind: 'top' };
    }
    if (!text.includes(HOLE.system)) {
      return { kind: 'ignored' };
    }
    const two = this.text({ shape: 'twoSystems' }) ?? '';
    if (two.includes(MARKS.laterSystem) && !two.includes(HOLE.system)) {
      return { kind: 'last' };
    }
    const userStart = usual.slice(assistantAfter.length);
    if (!piece.startsWith(assistantAfter) || !piece.endsWith(userStart) || !piece.includes(HOLE.system)) {
      return { kind: 'top' };
    }
    const [before = '', after = ''] = piece
      .slice(assistantAfter.length, piece.length - userStart.length)
      .split(HOLE.system);
    return { kind: 'inline', before, after };
  }

  private userBefore(assistantAfter: string): Sample[] {
    const samples: Sample[] = [];
    const seen = (key: ProbeKey, turn: number, position: Readonly<Record<string, boolean>>): void => {
      const text = this.text(key);
      const [mark, before] = [MARKS.user(turn), MARKS.assistant(turn - 1)];
      const piece = text === undefined ? undefined : turn === 1 ? beforeMark(text, mark) : between(text, before, mark);
      if (piece !== undefined && (turn === 1 || piece.startsWith(assistantAfter))) {
        const answers = {
          ...position,
          system: key.system === true,
          tools: key.tools === true,
          thinkOn: key.think === true,
          thinkOff: key.think === false,
        };
        samples.push({ answers, text: turn === 1 ? piece : piece.slice(assistantAfter.length) });
      }
    };
    for (const system of [false, true]) {
      for (const tools of this.toolList === undefined ? [false] : [false, true]) {
        const key = (shape: ShapeName, think?: boolean): ProbeKey => ({ shape, system, tools, think });
        for (const think of [undefined, false, true]) {
          seen(key('question', think), 1, { first: true, lastUser: true, last: true });
        }
        seen(key('answered'), 1, { first: true, lastUser: true, last: false });
        seen(key('second'), 1, { first: true, lastUser: false, last: false });
        seen(key('second'), 2, { first: false, lastUser: true, last: true });
        seen(key('secondAnswered'), 2, { first: false, lastUser: true, last: false });
        seen(key('third'), 2, { first: false, lastUser: false, last: false });
      }
    }
    return samples;
  }

  private assistantBefore(userAfter: string, toolTurn: ToolTurnShape | undefined): Sample[] {
    const samples: Sample[] = [];
    const [u1, a1] = [MARKS.user(1), MARKS.assistant(1)];
    const seen = (key: ProbeKey, answers: Readonly<Record<string, boolean>>, start = u1, skip = userAfter): void => {
      const text = this.text(key);
      const piece = text === undefined ? undefined : between(text, start, a1);
      if (piece?.startsWith(skip) === true) {
        samples.push({ answers, text: piece.slice(skip.length) });
      }
    };
    seen({ shape: 'second' }, { thinking: false, current: false, last: false });
    seen({ shape: 'answered' }, { thinking: false, current: true, last: true });
    seen({ shape: 'thoughtBefore' }, { thinking: true, current: false, last: false });
    seen({ shape: 'thoughtLast' }, { thinking: true, current: true, last: true });
    if (toolTurn !== undefined) {
      if (toolTurn.ownStart) {
        samples.push({
          answers: { thinking: false, current: true, last: false, calls: true, callsOnly: true },
          text: '',
        });
      }
      seen(
        { shape: 'textAndCallThenResult', tools: true },
        { thinking: false, current: true, last: false, calls: true },
      );
      seen({ shape: 'thoughtTextAndCall', tools: true }, { thinking: true, current: true, last: false, calls: true });
      seen({ shape: 'callBefore', tools: true }, { thinking: false, current: false, last: false, calls: true });
      const skip = toolTurn.resultAfter.find(({ answers }) => answers['nextIsResult'] !== true)?.text ?? '';
      const mark = toolTurn.resultIsJson ? JSON.stringify(MARKS.result(1)) : MARKS.result(1);
      seen(
        { shape: 'resultAnswered', tools: true },
        { thinking: false, current: true, last: true, afterResult: true },
        mark,
        skip,
      );
      seen(
        { shape: 'resultAnsweredAndOn', tools: true },
        { thinking: false, current: false, last: false, afterResult: true },
        mark,
        skip,
      );
    }
    return samples;
  }

  private generation(userAfter: string, toolTurn: ToolTurnShape | undefined): Sample[] {
    const samples: Sample[] = [];
    const seen = (key: ProbeKey, mark: string, skip: string): void => {
      const piece = after(this.text(key) ?? '', mark);
      if (piece?.startsWith(skip) === true) {
        samples.push({
          answers: { thinkOn: key.think === true, thinkOff: key.think === false, afterResult: key.shape === 'result' },
          text: piece.slice(skip.length),
        });
      }
    };
    for (const think of [undefined, false, true]) {
      seen({ shape: 'question', think }, MARKS.user(1), userAfter);
      if (toolTurn !== undefined) {
        const skip = toolTurn.resultAfter.find(({ answers }) => answers['nextIsResult'] !== true)?.text ?? '';
        seen(
          { shape: 'result', tools: true, think },
          toolTurn.resultIsJson ? JSON.stringify(MARKS.result(1)) : MARKS.result(1),
          skip,
        );
      }
    }
    return samples;
  }

  /** Calls are looked at where a result follows: the last turn of all is often written in another way. */
  private toolTurn(userAfter: string, assistantAfter: string, answerBefore: string): ToolTurnShape | undefined {
    const single = this.afterQuestion({ shape: 'result', tools: true }, userAfter);
    const ending = splitCall(after(this.text({ shape: 'call', tools: true }) ?? '', MARKS.user(1)) ?? '', 1)?.tail;
    const textual = this.afterQuestion({ shape: 'textAndCallThenResult', tools: true }, userAfter);
    const before = (textual === undefined ? undefined : beforeMark(textual, MARKS.assistant(1))) ?? answerBefore;
    const ownStart = single?.startsWith(before) !== true;
    const skip = ownStart ? 0 : before.length;
    const one = single === undefined ? undefined : splitCall(single.slice(skip), 1);
    if (single !== undefined && !single.includes(MARKS.tool(1)) && !single.includes(MARKS.argument(1))) {
      return this.resultsOnly(single, assistantAfter, answerBefore);
    }
    if (single === undefined || one === undefined || ending === undefined || !one.tail.startsWith(ending)) {
      return undefined;
    }
    const two = splitCall(this.afterQuestion({ shape: 'twoResults', tools: true }, userAfter)?.slice(skip) ?? '', 2);
    const parts = splitItems(
      { ...one, tail: ending },
      two?.tail.includes(MARKS.result(1).slice(0, 6)) === true ? two : undefined,
    );
    const withText = splitCall(after(textual ?? '', MARKS.assistant(1)) ?? '', 1);
    const ends = parts.afterCalls.endsWith(assistantAfter);
    const results = this.results(one.tail.slice(ending.length));
    return results === undefined
      ? undefined
      : {
          ...parts,
          ownStart,
          dropsText: textual?.includes(MARKS.assistant(1)) === false,
          writesCalls: true,
          beforeCallsWithText:
            withText?.head.endsWith(parts.beforeName) === true
              ? withText.head.slice(0, withText.head.length - parts.beforeName.length)
              : parts.beforeCalls,
          afterCalls: ends
            ? parts.afterCalls.slice(0, parts.afterCalls.length - assistantAfter.length)
            : parts.afterCalls,
          ...results,
        };
  }

  /** A template that writes results but not the calls that they answer: an empty answer stands for those. */
  private resultsOnly(text: string, assistantAfter: string, answerBefore: string): ToolTurnShape | undefined {
    const turn = `${answerBefore}${assistantAfter}`;
    const results = text.startsWith(turn) ? this.results(text.slice(turn.length)) : undefined;
    const none = {
      beforeCalls: '',
      beforeCallsWithText: '',
      beforeName: '',
      beforeArguments: '',
      afterArguments: '',
      betweenCalls: '',
      afterCalls: '',
    };
    return results === undefined
      ? undefined
      : { ...none, ownStart: false, dropsText: false, writesCalls: false, ...results };
  }

  private afterQuestion(key: ProbeKey, userAfter: string): string | undefined {
    const text = after(this.text(key) ?? '', MARKS.user(1));
    return text?.startsWith(userAfter) === true ? text.slice(userAfter.length) : undefined;
  }

  /** @param rest what follows a call's turn where one result answers it */
  private results(rest: string): Pick<ToolTurnShape, 'resultBefore' | 'resultAfter' | 'resultIsJson'> | undefined {
    const own = resultNames(rest);
    const resultIsJson = own.includes(JSON.stringify(MARKS.result(1)));
    const mark = (number: number): string =>
      resultIsJson ? JSON.stringify(MARKS.result(number)) : MARKS.result(number);
    const before = beforeMark(own, mark(1));
    const ending = after(own, mark(1));
    if (before === undefined || ending === undefined) {
      return undefined;
    }
    const alone = sharedStart(after(this.text({ shape: 'openResult', tools: true }) ?? '', mark(1)) ?? ending, [
      ending,
    ]);
    const two = this.text({ shape: 'twoResults', tools: true });
    const gap = two === undefined ? undefined : between(two, mark(1), mark(2));
    const onward = gap === undefined ? alone : commonPrefix(gap, alone);
    return {
      resultBefore: [
        { answers: { previousIsResult: false }, text: before },
        ...(gap === undefined ? [] : [{ answers: { previousIsResult: true }, text: gap.slice(onward.length) }]),
      ],
      resultAfter: [
        { answers: { nextIsResult: false }, text: alone },
        ...(gap === undefined ? [] : [{ answers: { nextIsResult: true }, text: onward }]),
      ],
      resultIsJson,
    };
  }
}

/** Names and ids of calls become placeholders of results. */
function resultNames(text: string): string {
  return [1, 2]
    .reduce(
      (all, number) =>
        all.replaceAll(MARKS.callId(number), HOLE.resultId).replaceAll(MARKS.tool(number), HOLE.toolName),
      text,
    )
    .replaceAll(HOLE.callId, HOLE.resultId);
}

/** The same behind the first result: what stands before it may still belong to a call. */
function resultIds(text: string): string {
  const at = text.search(/qxResult\d/);
  return at < 0 ? text : text.slice(0, at) + resultNames(text.slice(at));
}

/** The end of a turn, as far as what follows begins with it; a token is not torn apart. */
function sharedStart(own: string, followers: readonly string[]): string {
  const shared = followers.reduce(commonPrefix, own);
  if (shared.length === own.length) {
    return own;
  }
  const open = Math.max(shared.lastIndexOf('<'), shared.lastIndexOf('['));
  const closed = Math.max(shared.lastIndexOf('>'), shared.lastIndexOf(']'));
  return open > closed ? shared.slice(0, open) : shared;
}

function toolTexts(layout: JsonLayout, whole: boolean): string[] {
  return PROBE_TOOLS.map((tool) => pythonJson(whole ? tool : (tool['function'] as JinjaObject), layout));
}

function findToolList(text: string): ToolListShape | undefined {
  for (const whole of [true, false]) {
    for (const layout of JSON_LAYOUTS) {
      const [first = '', second = ''] = toolTexts(layout, whole);
      const separator = between(text, first, second);
      if (separator !== undefined) {
        return { layout, whole, separator };
      }
    }
  }
  return undefined;
}

function withoutToolList(text: string, { layout, whole, separator }: ToolListShape): string {
  const [first = '', second = ''] = toolTexts(layout, whole);
  return text.replaceAll(`${first}${separator}${second}`, HOLE.tools);
}
