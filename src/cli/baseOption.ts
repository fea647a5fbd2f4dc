import { requireBase } from '../node/inputs/requireBase';
import type { CommandContext, OptionValues } from './command';
import { adapterRequest, list, required, text } from './options';

/** `--base`; without it the base that the first adapter names, where it can be found. */
export async function baseOption(options: OptionValues, context: CommandContext): Promise<string> {
  const [adapter] = list(options, 'adapter');
  const given = text(options, 'base');
  if ((given !== undefined && given !== '') || adapter === undefined) {
    return required(options, 'base', 'models/Qwen3-0.6B');
  }
  const { path, name } = await requireBase(adapterRequest(adapter).path, context.signal);
  context.say(`The adapter names ${name} as its base: taking ${path}`);
  return path;
}
