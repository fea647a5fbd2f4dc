import { probeTemplate, stopTextOf } from './templateProbe';
import { looksLikeToken } from './turnMarkers';
import { parseTemplate } from '../goTemplate/parseTemplate';
import type { ChatFormat } from './chatFormat';

/** A `PARAMETER stop`, and why it is there. */
export interface StopText {
  readonly text: string;
  readonly reason: string;
}

/**
 * Where an answer ends: what the template writes behind one, what the model's files call its end tokens (also where llama.cpp stops
 * there by itself: other runtimes and older versions do not), and the stops of the library's model.
 */
export function stopTexts(
  format: ChatFormat,
  template: string | undefined,
  libraryStops: readonly string[] = [],
): readonly StopText[] {
  const reasons = new Map<string, string[]>();
  const add = (text: string, reason: string): void => {
    if (text.trim() !== '' && text.length <= 100) {
      reasons.set(text, [...(reasons.get(text) ?? []), reason]);
    }
  };
  for (const { text, reason } of templateStops(template)) {
    add(text, reason);
  }
  for (const { text, source } of format.endTokens) {
    add(text, source);
  }
  for (const text of libraryStops) {
    add(text, 'the library model has it');
  }
  return Array.from(reasons, ([text, all]) => ({ text, reason: [...new Set(all)].join('; ') }));
}

function templateStops(template: string | undefined): readonly StopText[] {
  const parsed = template === undefined ? undefined : parseTemplate(template);
  if (parsed?.ok !== true) {
    return [];
  }
  const probe = probeTemplate(parsed.template);
  const text = stopTextOf(probe);
  if (text === undefined) {
    return [];
  }
  return [
    {
      text,
      reason:
        looksLikeToken(text) && text === probe.turnEnd
          ? 'the template ends an answer with it'
          : 'the template begins the next turn with it',
    },
  ];
}
