/** A stretch of a prompt: text, or one of the markers that a model knows as a single token. */
export interface PromptPart {
  readonly text: string;
  readonly isSpecial: boolean;
}

/** Markers as models have them: `<|im_end|>`, `<s>`, `<start_of_turn>`, `[INST]`. */
const MARKER = /<\|[^|<>\s]{1,60}\|>|<\/?[A-Za-z_｜][^<>\s]{0,60}>|\[\/?[A-Z_]{2,30}\]/gu;

/** Most parts of one prompt; what follows stays one part. */
const MAX_PARTS = 5000;

/** Cuts a rendered prompt at what looks like a special token. The parts together are the prompt. */
export function markSpecialTokens(prompt: string): readonly PromptPart[] {
  const parts: PromptPart[] = [];
  let at = 0;
  for (const match of prompt.matchAll(MARKER)) {
    if (parts.length >= MAX_PARTS) {
      break;
    }
    if (match.index > at) {
      parts.push({ text: prompt.slice(at, match.index), isSpecial: false });
    }
    parts.push({ text: match[0], isSpecial: true });
    at = match.index + match[0].length;
  }
  return at < prompt.length || parts.length === 0 ? [...parts, { text: prompt.slice(at), isSpecial: false }] : parts;
}
