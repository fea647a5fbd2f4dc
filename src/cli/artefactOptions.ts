import type { OptionSpec } from './command';

/** What `create --base` and `create-from-base` take beside a name. */
export const ARTEFACT_OPTIONS = {
  base: { type: 'string' },
  adapter: { type: 'string', multiple: true },
  type: { type: 'string' },
  route: { type: 'string' },
  library: { type: 'string' },
  system: { type: 'string' },
  temperature: { type: 'string' },
  'num-ctx': { type: 'string' },
  'out-modelfile': { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const satisfies Record<string, OptionSpec>;
