import type { DocumentLink } from 'vscode-languageserver-types';
import { looksLikePath } from '../../../src/core/modelfile/modelFacts';
import { parseModelReference } from '../../../src/core/ollama/modelName';
import type { ModelfileDocument } from './modelfileDocument';

/** A link before it is known where it leads: `path` is as written in the file. */
export interface PathLink {
  readonly link: DocumentLink;
  /** Set where the target is a path; the shell resolves it, or drops the link. */
  readonly path?: string | undefined;
}

/** FROM, ADAPTER and DRAFT as links: names of library models lead to their pages, paths to their files. */
export function computeDocumentLinks(document: ModelfileDocument): PathLink[] {
  return document.parsed.instructions.flatMap(({ keyword, value }) => {
    if (
      value === undefined ||
      value.text === '' ||
      (keyword !== 'FROM' && keyword !== 'ADAPTER' && keyword !== 'DRAFT')
    ) {
      return [];
    }
    const range = document.range(value.content);
    const page = keyword === 'FROM' && !looksLikePath(value.text) ? pageOf(value.text) : undefined;
    return [{ link: { range, ...(page === undefined ? {} : { target: page }) }, path: value.text }];
  });
}

/** The page of a model of ollama.com or Hugging Face. */
function pageOf(text: string): string | undefined {
  const name = parseModelReference(text)?.name;
  if (name === undefined) {
    return undefined;
  }
  if (name.host === 'hf.co' || name.host === 'huggingface.co') {
    return `https://huggingface.co/${name.namespace}/${name.model}`;
  }
  return name.host === 'registry.ollama.ai' ? `https://ollama.com/${name.namespace}/${name.model}` : undefined;
}
