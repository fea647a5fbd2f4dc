import { chatTemplateName } from '../formats/huggingface/chatTemplateName';
import { LIMITS } from '../limits';
import { suspiciousJinja } from '../chatTemplate/suspiciousJinja';
import { displayLine, displayText } from './displayText';
import type { TemplatesAnswer } from './viewerProtocol';

const KEY = 'tokenizer.chat_template';

/** Names that reach for the program that renders a template. */
const INTERNALS = /__(?:class|globals|builtins|import|subclasses|mro|init)__/;

/** Chat templates by name (`default` and others), as they stand in a file. They are shown, never run here. */
export function templatesOf(texts: readonly (readonly [name: string, text: string])[]): TemplatesAnswer {
  const warnings = new Set<string>();
  const templates = texts.map(([name, text]) => {
    for (const warning of suspiciousJinja(text)) {
      warnings.add(displayLine(warning));
    }
    if (INTERNALS.test(text)) {
      warnings.add(
        'The template reaches for Python internals, as an attack on the program that renders it would: do not trust this model.',
      );
    }
    const format = chatTemplateName(text);
    return {
      name: displayLine(name, 80),
      text: displayText(text.slice(0, LIMITS.chatTemplateBytes)),
      cut: text.length > LIMITS.chatTemplateBytes,
      format,
    };
  });
  return { templates, warnings: [...warnings] };
}

/** The templates of a GGUF. */
export function ggufTemplates(
  metadata: Iterable<readonly [string, { readonly type: string; readonly value: unknown }]>,
): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const [key, value] of metadata) {
    if (value.type === 'string' && typeof value.value === 'string' && (key === KEY || key.startsWith(`${KEY}.`))) {
      found.push([key === KEY ? 'default' : key.slice(KEY.length + 1), value.value]);
    }
  }
  return found;
}
