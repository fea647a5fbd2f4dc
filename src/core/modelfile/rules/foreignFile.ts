import type { LintContext } from '../lintContext';

/** A file that is no Modelfile at all, by how it begins; what it is, and what to do. */
const KINDS: readonly (readonly [RegExp, string, string])[] = [
  [
    /^\ufeff?GGUF[\s\S]{0,8}[\u0000-\u0008\ufffd]/,
    'GGUF',
    ' This file is a model in GGUF form, not a Modelfile: write a Modelfile with FROM and the path of this file.',
  ],
  [
    /^[\s\S]{8}\{"/,
    'safetensors',
    ' This file holds safetensors weights, not a Modelfile: name the folder that it lies in with FROM.',
  ],
  [/^PK\u0003\u0004/, 'PK', ' This file is an archive or a PyTorch checkpoint, not a Modelfile.'],
  [
    /^\ufeff?\s*(?:\{\s*(?:"|\})|\[\s*[{"])/,
    '{',
    ' This file is JSON, not a Modelfile. A Modelfile is lines such as FROM llama3.2 and PARAMETER temperature 0.7.',
  ],
  [
    /^\ufeff?\s*<(?:!doctype|html|\?xml)\b/i,
    '<',
    ' This file is a web page or XML, not a Modelfile: a download may have given the page in place of the file.',
  ],
  [/^version https:\/\/git-lfs\b/, 'version', ' This file is a Git LFS pointer: run git lfs pull.'],
  [
    /^\ufeff?---\r?\n(?:[\w-]+:[^\n]*\r?\n)/,
    '---',
    ' This file is YAML or has YAML at its head; a Modelfile is lines such as FROM llama3.2 and PARAMETER temperature 0.7.',
  ],
];

const YAML =
  ' This file is YAML, not a Modelfile. A Modelfile is lines without colons: FROM llama3.2, SYSTEM and a text, PARAMETER temperature 0.7.';

/** The first key, where every line that begins at the margin is `key:` in small letters, as no instruction is, and there are several. */
function firstYamlKey(head: string): string | undefined {
  // The last line may be cut.
  const lines = head.split(/\r?\n/).slice(0, head.length < HEAD ? undefined : -1);
  const atMargin = lines.filter((line) => /^[^\s#-]/.test(line));
  const keys = atMargin.flatMap((line) => /^\ufeff?([a-z_]+:)(?:\s|$)/.exec(line)?.[1] ?? []);
  return keys.length >= 2 && keys.length === atMargin.length ? keys[0] : undefined;
}

/** How much of a file tells what it is. */
const HEAD = 400;

/** One finding for a file of another kind; true where it is one. */
export function foreignFile(context: LintContext): boolean {
  const { text, parsed } = context;
  if (parsed.verdict.ok || parsed.instructions.some(({ command }) => command?.name === 'model')) {
    return false;
  }
  const head = text.slice(0, HEAD);
  const key = firstYamlKey(head);
  const found =
    KINDS.find(([pattern]) => pattern.test(head)) ??
    (key === undefined ? undefined : ([/./, key, YAML] as const)) ??
    (head.includes('\u0000') ? ([/./, 'This', ' This file is binary, not a Modelfile.'] as const) : undefined);
  if (found === undefined) {
    return false;
  }
  const [, word, suggestion] = found;
  context.report('modelfile/unknown-instruction', { start: 0, end: context.lines.lineEnd(0) }, { word, suggestion });
  context.silence({ start: 0, end: text.length + 1 });
  return true;
}
