import { chatTemplateName } from '../artefacts/chatTemplateName';
import { LIMITS } from '../limits';
import { displayLine, displayText } from './displayText';
import type { TemplatesAnswer } from './viewerProtocol';

const KEY = 'tokenizer.chat_template';

/** What makes a template worth a second look before it is trusted; it says nothing of one that has none of it. */
const SUSPICIOUS: readonly (readonly [RegExp, string])[] = [
  [/https?:\/\//i, 'It holds a web address.'],
  [/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/, 'It holds characters that are invisible or reorder text.'],
  [/__(?:class|globals|builtins|import|subclasses|mro|init)__/, 'It reaches for Python internals, as an attack on the program that renders it would.'],
  [/[A-Za-z0-9+/]{120,}={0,2}/, 'It holds a long run of encoded text.'],
];

/** Chat templates by name (`default` and others), as they stand in a file. They are shown, never run here. */
export function templatesOf(texts: readonly (readonly [name: string, text: string])[]): TemplatesAnswer {
  const warnings = new Set<string>();
  const templates = texts.map(([name, text]) => {
    for (const [pattern, warning] of SUSPICIOUS) {
      if (pattern.test(text)) {
        warnings.add(warning);
      }
    }
    const format = chatTemplateName(text);
    return { name: displayLine(name, 80), text: displayText(text.slice(0, LIMITS.chatTemplateBytes)), cut: text.length > LIMITS.chatTemplateBytes, format };
  });
  return { templates, warnings: [...warnings] };
}

/** The templates of a GGUF. */
export function ggufTemplates(metadata: Iterable<readonly [string, { readonly type: string; readonly value: unknown }]>): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const [key, value] of metadata) {
    if (value.type === 'string' && typeof value.value === 'string' && (key === KEY || key.startsWith(`${KEY}.`))) {
      found.push([key === KEY ? 'default' : key.slice(KEY.length + 1), value.value]);
    }
  }
  return found;
}
