import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A Jinja template that Ollama recognises, and the Go template that it takes for it. */
export interface IndexPair {
  readonly name: string;
  readonly jinja: string;
  readonly template: string;
}

/** The pairs of `template/index.json` in the Go module of Ollama that the oracle is built with; fetched by Go if need be. */
export function indexPairs(): Promise<readonly IndexPair[]> {
  const cwd = new URL('../conformance/oracle', import.meta.url).pathname;
  execFileSync('go', ['mod', 'download', 'github.com/ollama/ollama'], { cwd, stdio: 'ignore' });
  const found = execFileSync('go', ['list', '-m', '-f', '{{.Dir}}', 'github.com/ollama/ollama'], {
    cwd,
    encoding: 'utf8',
  });
  const folder = join(found.trim(), 'template');
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as readonly {
    readonly name: string;
    readonly template: string;
  }[];
  return Promise.resolve(
    index.map(({ name, template }) => ({
      name,
      jinja: template,
      template: readFileSync(join(folder, `${name}.gotmpl`), 'utf8'),
    })),
  );
}
