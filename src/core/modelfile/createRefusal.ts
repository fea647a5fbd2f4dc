import type { OllamaProfile } from '../ollama/ollamaProfile';
import type { ModelfileCommand } from './modelfileTypes';

/**
 * Why `ollama create` of a version refuses commands that its parser takes, in its own words; undefined where the commands alone are no
 * reason. Adapters come before typical_p, as in `cmd/cmd.go`.
 */
export function createRefusal(commands: readonly ModelfileCommand[], profile: OllamaProfile): string | undefined {
  const has = (wanted: string): boolean => commands.some(({ name }) => name === wanted);
  if (!profile.does('adapterLayers') && has('adapter')) {
    return 'LoRA adapters are no longer supported';
  }
  return !profile.does('typicalP') && has('typical_p') ? 'typical_p is no longer supported' : undefined;
}
