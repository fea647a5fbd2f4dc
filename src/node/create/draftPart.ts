import { StudioError, toStudioError } from '../../core/errors';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { convertsDrafts } from '../../core/routes/serverAbilities';
import type { NamedPath } from './createPath';
import type { CreatePart } from './createPlanTypes';
import { readSendableGguf, requireSendableFolder } from './sendableGguf';

/**
 * What becomes of a DRAFT: it goes in as it is.
 * @throws StudioError gguf/…, ollama/… with the line, for what the server would refuse
 */
export async function draftPart(
  { path, kind, line }: NamedPath,
  lines: ModelfileLines,
  ollamaVersion: string | undefined,
): Promise<CreatePart> {
  try {
    if (kind === 'gguf') {
      const paths = (await readSendableGguf(path)).map((part) => part.path);
      return paths.length > 1
        ? { kind: 'split', role: 'draft', line, path, paths }
        : { kind: 'file', role: 'draft', line, path };
    }
    if (kind === 'folder' && ((await requireSendableFolder(path)).length > 0 || convertsDrafts(ollamaVersion))) {
      return { kind: 'folder', role: 'draft', line, path };
    }
    throw new StudioError(
      'ollama/draft',
      `${path} is no GGUF, and this Ollama takes no other DRAFT. Make one: build --base ${path} --type Q8_0 --out draft.gguf, and name that.`,
      { path },
    );
  } catch (thrown) {
    throw lines.at(toStudioError(thrown), line);
  }
}
