import type { ParsedTemplate } from '../goTemplate/parseTemplate';

/** What Ollama thinks that a template can do; it counts these. */
type Capability = 'tools' | 'insert' | 'thinking';

/**
 * Whether Ollama 0.32.15 prefers the Jinja template of the model file to a TEMPLATE, where neither RENDERER nor PARSER
 * is set (`shouldPreferChatTemplate`, found by words in the template).
 */
export function prefersJinja(jinja: string, template: ParsedTemplate): boolean {
  const theirs = jinjaCapabilities(jinja);
  const ours = goCapabilities(template);
  if (theirs.size > ours.size) {
    return !goRoundTrip(template) || jinjaRoundTrip(jinja);
  }
  const same = theirs.size === ours.size && [...theirs].every((capability) => ours.has(capability));
  return same && theirs.has('tools') && jinjaRoundTrip(jinja) && !goRoundTrip(template);
}

function jinjaCapabilities(jinja: string): Set<Capability> {
  const found = new Set<Capability>();
  if (jinja.includes('tools') || jinja.includes('tool_call')) {
    found.add('tools');
  }
  const splits = jinja.includes("content.split('</think>')") || jinja.includes('content.split("</think>")');
  const tags = jinja.includes('<think>') && jinja.includes('</think>');
  if (tags || (splits && !jinja.includes('reasoning_content') && !jinja.includes('<SPECIAL_12>'))) {
    found.add('thinking');
  }
  return found;
}

function jinjaRoundTrip(jinja: string): boolean {
  const calls = jinja.includes('tool_calls') || jinja.includes('assistant_tool_call');
  const results = [
    'tool_response',
    'tool_results',
    "role'] == 'tool'",
    'role\'] == "tool"',
    "role\"] == 'tool'",
    'role"] == "tool"',
    "message.role == 'tool'",
    'message.role == "tool"',
    'ipython',
  ];
  return calls && results.some((words) => jinja.includes(words));
}

function goCapabilities({ vars, text }: ParsedTemplate): Set<Capability> {
  const found = new Set<Capability>();
  if (vars.includes('tools')) {
    found.add('tools');
  }
  if (vars.includes('suffix')) {
    found.add('insert');
  }
  // Ollama looks for text around .Thinking within a loop over .Messages.
  if (vars.includes('messages') && /\S\s*\{\{-?\s*\.Thinking\s*-?\}\}\s*\S/.test(text)) {
    found.add('thinking');
  }
  return found;
}

function goRoundTrip({ vars, text }: ParsedTemplate): boolean {
  const named = vars.includes('tools') && vars.includes('toolcalls');
  return named && ['eq .Role "tool"', 'tool_response', 'TOOL_RESULTS'].some((words) => text.includes(words));
}
