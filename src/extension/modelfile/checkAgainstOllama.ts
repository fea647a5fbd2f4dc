import * as vscode from 'vscode';
import { markCharacters } from '../../core/chatTemplate/markDifference';
import { StudioError } from '../../core/errors';
import { plainConversation, type SampleConversation } from '../../core/goTemplate/sampleConversations';
import { pickModel, readModels } from '../ollama/pickModel';
import type { OllamaServer } from '../ollama/ollamaServer';
import { modelNameFor } from './modelfileDocuments';
import type { OllamaCheck } from './promptPosts';

/** What is shown, and for which file. */
export interface CheckedPrompt {
  /** Path of the Modelfile. */
  readonly path: string;
  readonly conversation: SampleConversation;
  readonly question: string;
  readonly prompt: string;
}

/**
 * Asks a server for the prompt that it makes of the conversation that is shown, for the model that was created from the file; which
 * one that is, the user says where none has the file's name. No answer is generated.
 * @throws StudioError run/cancelled, ollama/…
 */
export async function checkAgainstOllama(
  server: OllamaServer,
  { path, conversation, question, prompt }: CheckedPrompt,
  signal: AbortSignal,
): Promise<OllamaCheck> {
  if (conversation === 'infill') {
    throw new StudioError(
      'ollama/capability',
      vscode.l10n.t('Ollama tells the prompts of chats only. Choose another conversation.'),
    );
  }
  const name = modelNameFor(path);
  const installed = (await readModels(server)).map((node) => node.name);
  const model =
    installed.find((one) => one === name || one === `${name}:latest`) ??
    (await pickModel(server, {
      title: vscode.l10n.t('Which model was created from this Modelfile?'),
      none: vscode.l10n.t('Ollama has no model yet. Create one from this Modelfile first.'),
    }));
  const client = await server.client();
  const theirs = await client.renderPrompt({ model, ...plainConversation(conversation, question) }, { signal });
  return { state: 'done', model, ...(theirs === prompt ? {} : { marks: markCharacters(theirs, prompt) }) };
}
