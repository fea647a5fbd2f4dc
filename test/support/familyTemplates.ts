import { evaluateJinja, jinjaError, parseJinja } from '../../src/node/jinja/jinjaEvaluation';
import type { ChatFormat, JinjaRenderer } from '../../src/core/chatTemplate/chatFormat';

// The path is computed, so that type checking does not follow it into a plain script.
const table = new URL('../../scripts/libraryTable.mjs', import.meta.url).href;

/** A model's own chat template. */
export interface FamilyTemplate {
  readonly name: string;
  readonly jinja: string;
}

/** The Jinja templates of nearly a hundred models of Ollama's library, from the npm package that lists them. */
export async function familyTemplates(): Promise<readonly FamilyTemplate[]> {
  const { libraryEntries } = (await import(table)) as {
    libraryEntries: () => Promise<readonly { readonly model: string; readonly gguf: string }[]>;
  };
  return (await libraryEntries()).map(({ model, gguf }) => ({ name: model.replace('library/', ''), jinja: gguf }));
}

/** The tokenizer that goes with a template, as far as its marks tell. */
export function formatFor(jinja: string): ChatFormat & { readonly jinja: string } {
  const [bos, eos] = /<\|begin_of_text\|>|start_header_id/.test(jinja)
    ? ['<|begin_of_text|>', '<|eot_id|>']
    : jinja.includes('｜')
      ? ['<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>']
      : jinja.includes('start_of_turn')
        ? ['<bos>', '<eos>']
        : jinja.includes('im_start')
          ? ['', '<|im_end|>']
          : ['<s>', '</s>'];
  return {
    jinja,
    specials: { bos_token: bos, eos_token: eos },
    addsBos: bos !== '',
    endTokens: [{ text: eos, source: 'eos' }],
    specialTokens: [],
    parameters: {},
  };
}

/** Renders here, without the thread: for templates that are known. */
export const renderHere: JinjaRenderer = (jinja, requests) => {
  let program: ReturnType<typeof parseJinja>;
  try {
    program = parseJinja(jinja);
  } catch (thrown) {
    const error = jinjaError(thrown);
    return Promise.resolve(requests.map(() => ({ ok: false, error })));
  }
  return Promise.resolve(requests.map((request) => evaluateJinja(program, request)));
};
