import * as vscode from 'vscode';
import { commandsOf, droppedParameters } from '../../core/modelfile/inheritedCommands';
import type { ModelfileCommand } from '../../core/modelfile/modelfileTypes';
import { StudioError } from '../../core/errors';
import { OLLAMA_PREFIX, readInstalledModel } from '../../node/inputs/installedModel';
import { findOllamaProfile, installedOllamaVersion } from '../../node/ollama/whichOllama';
import type { OllamaServer } from '../ollama/ollamaServer';
import type { Services } from '../services';

/**
 * What an installed model hands on to one made FROM it, and a file made of its weights does not: template, system, parameters, licence,
 * projectors. What the Ollama that counts no longer takes is left out, and said.
 * @throws StudioError ollama/… where the model is out of reach
 */
export async function inheritedOf(
  services: Services,
  server: OllamaServer,
  name: string,
): Promise<readonly ModelfileCommand[]> {
  const client = server.isReady ? await server.client() : undefined;
  const { content, models, projectors } = await readInstalledModel(`${OLLAMA_PREFIX}${name}`, { client });
  if (content === undefined) {
    throw new StudioError(
      'ollama/file',
      vscode.l10n.t(
        '{0} is here as a file, and its template and parameters are out of reach. Give its models folder in OLLAMA_MODELS.',
        name,
      ),
    );
  }
  const setting = services.configuration.get('ollama.version').trim();
  const profile = await findOllamaProfile({
    given: setting === '' ? undefined : setting,
    server: client === undefined ? undefined : () => client.version().catch(() => undefined),
    program: () => installedOllamaVersion(),
  });
  for (const { message } of droppedParameters(content, profile)) {
    void vscode.window.showWarningMessage(message);
  }
  return [
    ...projectors.map((args) => ({ name: 'model', args })),
    // What a server asks for split weights does not hold for the one file that they become.
    ...commandsOf(content, profile).filter(({ name: command }) => models.length === 1 || command !== 'requires'),
  ];
}
