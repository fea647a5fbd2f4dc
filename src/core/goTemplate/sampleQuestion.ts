/** Longer words of a file are no question to begin with. */
const LONGEST = 400;

/** What a SYSTEM speaks of, and a question that one would ask of such a model; the first that fits counts. */
const TOPICS: readonly (readonly [pattern: RegExp, question: string])[] = [
  [/\btranslat/i, 'Translate: Good morning, how are you?'],
  [/\bsql\b|\bdatabase/i, 'Which customers have ordered nothing this year?'],
  [/\bcommit messages?\b|\bcode review/i, 'Look at this change: if (a = b) { return; }'],
  [/\bsummari[sz]/i, 'Summarise: The match was stopped at half-time because of rain. It goes on tomorrow.'],
  [/\bclassif|\bsentiment|\bcategori[sz]/i, 'The delivery came late, but the food was good.'],
  [/\bextract|\bJSON\b/, 'Anna Berg, 34, of Oslo ordered two tickets on 3 May.'],
  [/\b(?:programm|coding|coder|developer|software|python|javascript|typescript|rust)/i, 'How do I reverse a list?'],
  [/\b(?:maths?|mathematic|calculat)/i, 'What is 17 times 23?'],
  [/\b(?:recipe|cook|chef)/i, 'What can I cook with eggs and spinach?'],
  [/\b(?:teach|tutor|explain)/i, 'Why is the sky blue?'],
  [/\b(?:role-?play|you are (?:mario|a pirate|a wizard|\w+ from)|pretend|character|persona)/i, 'Hello! Who are you?'],
];

/** For a file that tells nothing of what it is for. */
const PLAIN = 'What can you do for me?';

/**
 * The question that a preview begins with: the first that the file's own MESSAGE lines ask, else one that fits its SYSTEM.
 * @param history MESSAGE lines
 */
export function sampleQuestion(
  system: string | undefined,
  history: readonly { readonly role: string; readonly content: string }[],
): string {
  const asked = history.find(({ role, content }) => role === 'user' && content.trim() !== '')?.content.trim();
  if (asked !== undefined && asked.length <= LONGEST) {
    return asked;
  }
  const words = (system ?? '').slice(0, 4000);
  return TOPICS.find(([pattern]) => pattern.test(words))?.[1] ?? PLAIN;
}
