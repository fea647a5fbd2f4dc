import type { ChatFormat, Conversation, JinjaRenderer } from './chatFormat';
import { jinjaRequest } from './conversationValues';

const TRIALS: readonly Conversation[] = [
  { name: 'question', messages: [{ role: 'user', content: 'Hello' }] },
  {
    name: 'system',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ],
  },
  {
    name: 'turns',
    messages: [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi.' },
      { role: 'user', content: 'Bye' },
    ],
  },
];

/**
 * Templates of models that see pictures may take contents as lists of parts only (`[{"type": "text", "text": …}]`): the form that
 * more of three short conversations can be rendered in, texts where it is the same.
 */
export async function withContentForm<T extends ChatFormat & { readonly jinja: string }>(
  format: T,
  render: JinjaRenderer,
  signal?: AbortSignal,
): Promise<T> {
  if (!/\[['"]type['"]\]|\.type\b/.test(format.jinja)) {
    return format;
  }
  const rendered = async (own: T): Promise<number> => {
    const answers = await render(
      own.jinja,
      TRIALS.map((trial) => jinjaRequest(own, trial, 0)),
      signal,
    );
    return answers.filter(
      (answer, index) =>
        answer.ok && TRIALS[index]?.messages.every(({ content }) => answer.text.includes(content)) === true,
    ).length;
  };
  const parts = { ...format, contentParts: true };
  return (await rendered(parts)) > (await rendered(format)) ? parts : format;
}
