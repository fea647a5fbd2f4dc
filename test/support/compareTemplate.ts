import { isDeepStrictEqual } from 'node:util';
import { executeTemplate } from '../../src/core/goTemplate/executeTemplate';
import { decodeConversation } from '../../src/core/goTemplate/ollama/decodeConversation';
import { parseOrderedJson } from '../../src/core/goTemplate/ollama/orderedJson';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';

/** What one execution gave, in the oracle's form. */
export type Rendered =
  | { readonly ok: true; readonly text: string; readonly base64?: string; readonly address?: true }
  | {
      readonly ok: false;
      readonly error?: string;
      readonly panic?: string;
      readonly budget?: true;
      readonly address?: true;
    };

export type TemplateAnswer =
  | { readonly ok: true; readonly vars: readonly string[]; readonly rendered: readonly Rendered[] }
  | { readonly ok: false; readonly error: string };

function render(
  template: Extract<ReturnType<typeof parseTemplate>, { ok: true }>['template'],
  values: unknown,
  now: Date | undefined,
): Rendered {
  const decoded = decodeConversation(parseOrderedJson(JSON.stringify(values)));
  const result = executeTemplate(template, decoded, now === undefined ? {} : { now });
  const address = result.repeatable ? {} : ({ address: true } as const);
  if (!result.ok) {
    return {
      ok: false,
      ...address,
      ...(result.fault === 'budget'
        ? { budget: true }
        : result.fault === 'panic'
          ? { panic: result.error }
          : { error: result.error }),
    };
  }
  const bytes = Buffer.from(result.bytes, 'latin1');
  const valid = bytes.equals(Buffer.from(bytes.toString('utf8'), 'utf8'));
  return { ok: true, text: result.text, ...address, ...(valid ? {} : { base64: bytes.toString('base64') }) };
}

/** Our answer to a question for the oracle, `{op: "template", text, values}`. */
export function answerTemplate(text: string, values: readonly unknown[], now?: Date): TemplateAnswer {
  const parsed = parseTemplate(text);
  return parsed.ok
    ? { ok: true, vars: parsed.template.vars, rendered: values.map((value) => render(parsed.template, value, now)) }
    : { ok: false, error: parsed.error };
}

/** Where Go's heap is at this run. */
const ADDRESS = /0[xX][0-9a-fA-F]{9,12}/g;

function withoutAddresses(rendered: Rendered): Rendered {
  const { ok, base64, ...rest } = rendered as Rendered & { readonly base64?: string; readonly address?: true };
  const texts = Object.entries(rest).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value.replace(ADDRESS, 'ADDRESS')] as const] : [],
  );
  return { ok, ...Object.fromEntries(texts), ...(base64 === undefined ? {} : { base64: 'not compared' }) } as Rendered;
}

/** What can be compared of two renderings: undefined where one of them tells nothing, or where they hang on addresses. */
export function comparable(
  ours: Rendered,
  theirs: Rendered & { readonly timeout?: true },
): readonly [Rendered, Rendered] | undefined {
  const outOfBudget = !ours.ok && ours.budget === true;
  const limited = theirs.timeout === true || (!theirs.ok && theirs.error === 'oracle: output limit');
  if (outOfBudget || limited) {
    return undefined;
  }
  if (ours.address !== true) {
    return [ours, theirs];
  }
  const pair = [withoutAddresses(ours), withoutAddresses(theirs)] as const;
  return isDeepStrictEqual(pair[0], pair[1]) ? pair : undefined;
}
