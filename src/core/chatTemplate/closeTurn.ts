import { parseTemplate } from '../goTemplate/parseTemplate';
import { headerProblem } from './answerHeader';
import { probeTemplate, type TemplateProbe } from './templateProbe';

/** A change of a template: text that goes in at an offset, in place of what is there. */
export interface TemplateChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const ANSWER = /\{\{-?\s*(?:\$\w*)?\.(?:Response|Content)\s*-?\}\}/g;
/** More places than a template that people write has. */
const MAX_PLACES = 12;
/** Each place is tried at every keystroke: only templates of a usual length are mended. */
const LONGEST = 8 * 1024;

/** Most keys are pressed outside of the template. */
const known = new WeakMap<TemplateProbe, { readonly change: TemplateChange | undefined }>();

/**
 * Where `end` must go so that it ends every answer and the prompt stays as it is but for that; undefined where there is no such place.
 * Every place is tried, and the template rendered.
 */
export function closeTurn(text: string, probe: TemplateProbe, end: string): TemplateChange | undefined {
  if (text.length > LONGEST) {
    return undefined;
  }
  const { change } = known.get(probe) ?? { change: findPlace(text, probe, end) };
  known.set(probe, { change });
  return change;
}

function findPlace(text: string, probe: TemplateProbe, end: string): TemplateChange | undefined {
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    return undefined;
  }
  const header = probe.pastHeader ?? '';
  const at = header.indexOf(end);
  const newline = at >= 0 && header.slice(at + end.length).startsWith('\n') ? '\n' : '';
  const places = parsed.template.appendsResponse
    ? [{ at: text.length, insert: `{{ .Response }}${end}${newline}` }]
    : [...text.matchAll(ANSWER)].slice(0, MAX_PLACES).map((match) => {
        const behind = match.index + match[0].length;
        return { at: behind, insert: text[behind] === '\n' ? end : `${end}${newline}` };
      });
  const change = places
    .map(({ at: start, insert }) => ({ start, end: start, text: insert }))
    .find((one) => {
      const next = probeOf(text, one);
      return next?.turnEnd === end && samePrompt(probe, next);
    });
  return change;
}

/** `{{ .Role }}` written so that past answers are headed as the new one is; undefined where that does not do it. */
export function nameRole(text: string, probe: TemplateProbe, role: string): TemplateChange | undefined {
  const [match] = text.matchAll(/\{\{-?\s*(?:\$\w*)?\.Role\s*-?\}\}/g);
  if (match === undefined || text.length > LONGEST || !/^[\w ]+$/.test(role)) {
    return undefined;
  }
  const field = /\$?\w*\.Role/.exec(match[0])?.[0] ?? '.Role';
  const change = {
    start: match.index,
    end: match.index + match[0].length,
    text: `{{ if eq ${field} "assistant" }}${role}{{ else }}{{ ${field} }}{{ end }}`,
  };
  const next = probeOf(text, change);
  return next !== undefined && headerProblem(next) === undefined && samePrompt(probe, next) ? change : undefined;
}

function probeOf(text: string, { start, end, text: insert }: TemplateChange): TemplateProbe | undefined {
  const parsed = parseTemplate(text.slice(0, start) + insert + text.slice(end));
  return parsed.ok ? probeTemplate(parsed.template) : undefined;
}

/** A first question is asked as before, and tools do not begin to fail. */
function samePrompt(before: TemplateProbe, after: TemplateProbe): boolean {
  return (
    before.question.ok &&
    after.question.ok &&
    before.question.text === after.question.text &&
    before.answerHeader === after.answerHeader &&
    before.printsSystem === after.printsSystem &&
    before.tools?.ok === after.tools?.ok
  );
}
