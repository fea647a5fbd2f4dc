import type { ChatMessage } from './conversation';
import type { CollatedMessage } from './templateData';

export interface Collation {
  /** The contents of all system messages, with an empty line between. */
  readonly system: string;
  /** Messages of one role in a row as one, but for those of tools. */
  readonly messages: readonly CollatedMessage[];
}

/** Ollama's `collate`. The merged message keeps the first one's other fields. */
export function collate(messages: readonly ChatMessage[]): Collation {
  const groups: { message: ChatMessage; contents: string[] }[] = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (last !== undefined && last.message.role === message.role && message.role !== 'tool') {
      last.contents.push(message.content);
    } else {
      groups.push({ message, contents: [message.content] });
    }
  }
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  return {
    system: system.join('\n\n'),
    messages: groups.map(({ message, contents }) => ({ message, content: contents.join('\n\n') })),
  };
}
