import { FILE_TYPES, isQuantised } from '../../core/engine/fileTypes';
import type { CreatePart, CreateRoute } from './createPlanTypes';

/** How a model comes about of these parts. */
export function routeOf(parts: ReadonlyMap<string, CreatePart>): CreateRoute {
  const all = [...parts.values()];
  const built = all.find((part) => part.kind === 'build');
  if (built !== undefined && (built.adapters.length > 0 || (built.installed?.adapters.length ?? 0) > 0)) {
    return isQuantised(FILE_TYPES[built.fileType].base) ? 'fuse-quantise' : 'fuse';
  }
  const has = (kind: CreatePart['kind']): boolean => all.some((part) => part.kind === kind);
  if (has('convert-adapter')) {
    return 'gguf-adapter';
  }
  if (built !== undefined) {
    return 'build';
  }
  return has('folder') ? 'server' : all.some(({ role }) => role === 'adapter') ? 'adapter' : 'direct';
}
