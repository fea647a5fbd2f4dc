import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { LIMITS } from '../../core/limits';
import type { JinjaAnswer, JinjaRequest } from '../../core/chatTemplate/chatFormat';
import { formatDate } from '../../core/chatTemplate/dateFormat';

/** A parsed Jinja template. */
export type JinjaProgram = ReturnType<typeof parse>;

/** More turns than any template has; the library's own `range` has no limit. */
const MAX_RANGE = 100_000;

/** Parses as transformers does: the first newline after a block and white space before it are taken off. */
export function parseJinja(jinja: string): JinjaProgram {
  return parse(tokenize(jinja, { lstrip_blocks: true, trim_blocks: true }));
}

/**
 * Renders a template with what transformers gives it. Only for a thread that may be ended: a template may loop without end.
 * What goes wrong is in the answer.
 */
export function evaluateJinja(program: JinjaProgram, { variables, now }: JinjaRequest): JinjaAnswer {
  const environment = new Environment();
  const globals: Record<string, unknown> = {
    false: false,
    true: true,
    none: null,
    False: false,
    True: true,
    None: null,
    raise_exception: (text: unknown) => {
      throw new Error(String(text));
    },
    range,
    strftime_now: (format: unknown) =>
      typeof now === 'number'
        ? formatDate(new Date(now), String(format))
        : `${now.before}${String(format)}${now.after}`,
    ...structuredClone(variables),
  };
  try {
    for (const [name, value] of Object.entries(globals)) {
      environment.set(name, value);
    }
    const { value } = new Interpreter(environment).run(program) as { readonly value: unknown };
    if (typeof value !== 'string') {
      return { ok: false, error: 'The template gave no text.' };
    }
    return value.length > LIMITS.chatTemplateBytes
      ? {
          ok: false,
          error: `The text has ${value.length} characters, more than the ${LIMITS.chatTemplateBytes} that are looked at.`,
        }
      : { ok: true, text: value };
  } catch (thrown) {
    return { ok: false, error: jinjaError(thrown) };
  }
}

/** What went wrong, cut to a readable length. */
export function jinjaError(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 500);
}

function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const count = step === 0 ? NaN : Math.max(Math.ceil((stop - start) / step), 0);
  if (!(count <= MAX_RANGE)) {
    throw new Error(`range of ${count} elements: at most ${MAX_RANGE} are made`);
  }
  return Array.from({ length: count }, (_, index) => start + index * step);
}
