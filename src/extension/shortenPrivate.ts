import { homedir } from 'node:os';

/** A word of the path that says what it is and nothing of whose it is. */
const PLAIN =
  /^(?:dist|media|extensions?|models?|base|lora|adapters?|outputs?|runs?|checkpoint-\d+|snapshots|blobs|tmp|usr|var|opt|etc|home|Users|bin|lib|[a-z]:|\.\w+)$/i;

/**
 * A text for a public report: paths keep their last ending and how deep they are, names of models their tag, and what could be
 * a token or a password is left out. Codes, figures and versions stay.
 */
export function shortenPrivate(text: string, names: readonly string[] = []): string {
  const named = names
    .filter((name) => name.length > 2)
    .sort((a, b) => b.length - a.length)
    .reduce((all, name) => all.replaceAll(name, shortName(name)), text);
  return named
    .replaceAll(/\b(?:hf_|sk-|ghp_|github_pat_)[\w-]{6,}/g, '…')
    .replaceAll(/\/\/[^/\s:@]+:[^/\s@]+@/g, '//…@')
    .replaceAll(/\b(Bearer|Authorization:?|token[=:])\s*\S+/gi, '$1 …')
    .replaceAll(homedir(), '~')
    .replaceAll(/(?:~|[A-Za-z]:)?(?:[\\/][^\s\\/"'`,;:()<>|*?]+){2,}/g, shortPath);
}

/** `rugby-league:latest` as `r…:latest`. */
function shortName(name: string): string {
  const [stem = '', tag] = name.split(/:(?=[^/:]*$)/);
  return `${stem.slice(0, 1)}…${tag === undefined ? '' : `:${tag}`}`;
}

function shortPath(path: string): string {
  const separator = path.includes('\\') ? '\\' : '/';
  return path
    .split(/[\\/]/)
    .map((part, index) => {
      if (part === '' || (index === 0 && part === '~') || PLAIN.test(part)) {
        return part;
      }
      const ending =
        /\.(?:gguf|safetensors|json|jinja|modelfile|js|ts|log|bin|partial|journal)$/i.exec(part)?.[0] ?? '';
      return `${part.slice(0, 1)}…${ending}`;
    })
    .join(separator);
}
