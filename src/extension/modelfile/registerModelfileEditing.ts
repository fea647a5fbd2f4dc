import type { Services } from '../services';
import { registerLanguageClient } from '../registerLanguageClient';
import { registerBuiltForModelfile } from './builtForModelfile';
import { registerCodeLenses } from './codeLenses';
import { registerInsertCommands } from './insertFromLibrary';
import { registerNewModelfile } from './newModelfile';
import { registerPromptPreview } from './promptPreview';

/** Everything around editing a Modelfile. */
export function registerModelfileEditing(services: Services): void {
  const ask = registerLanguageClient(services);
  registerCodeLenses(services, ask);
  registerPromptPreview(services, ask);
  registerNewModelfile(services);
  registerInsertCommands(services);
  registerBuiltForModelfile(services);
}
