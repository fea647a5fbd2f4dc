// What one version of Ollama knows, read from the sources of its Go module.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const MODULE = 'github.com/ollama/ollama';

/** The version that the module proxy calls the latest, `0.34.4`. */
export function latestVersion() {
  return JSON.parse(
    execFileSync('go', ['list', '-m', '-json', `${MODULE}@latest`], { encoding: 'utf8' }),
  ).Version.slice(1);
}

/** Downloads the module of a version through Go's own proxy unless it is there; returns its folder. */
export function downloadModule(version) {
  const answer = execFileSync('go', ['mod', 'download', '-json', `${MODULE}@v${version}`], { encoding: 'utf8' });
  return JSON.parse(answer).Dir;
}

/** Kind > names of that kind. A kind in which nothing is found would mean that the sources have moved: an error, but for those that can be gone. */
export function readOllamaSources(folder) {
  const read = (path) => (existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'utf8') : '');
  const parser = read('parser/parser.go');
  const types = read('api/types.go');
  const template = read('template/template.go');
  const create = `${read('server/create.go')}\n${read('server/create_split_gguf.go')}`;
  const commands = read('cmd/cmd.go');
  const facts = {
    instruction: cases(body(parser, 'func isValidCommand')).map((name) => name.toUpperCase()),
    parameter: ['type Options struct', 'type Runner struct'].flatMap((head) => jsonNames(body(types, head))),
    deprecatedParameter: quoted(body(parser, 'var deprecatedParameters')),
    createField: jsonNames(body(types, 'type CreateRequest struct')),
    showField: jsonNames(body(types, 'type ShowResponse struct')),
    templateFunction: matches(template, /^\t"(\w+)": func/gm),
    templateField: matches(body(template, 'type Values struct'), /^\t([A-Z]\w*)\s/gm).concat(
      matches(body(template, 'type Values struct'), /^\tapi\.(\w+)$/gm),
    ),
    renderer: cases(body(read('model/renderers/renderer.go'), 'func rendererForName')),
    parser: cases(body(read('model/parsers/parsers.go'), 'func ParserForName')),
    convertedClass: cases(body(read('convert/convert.go'), 'func LoadModelMetadata')),
    mlxClass: matches(goFiles(folder, ['mlxrunner', 'x']), /(?:base|model)\.Register\("([^"]+)"/g),
    createError: [...errorTexts(create)],
    commandError: [...errorTexts(commands)],
    environment: matches(read('envconfig/config.go'), /"(OLLAMA_\w+)"/g),
    llamaCpp: [read('LLAMA_CPP_VERSION').trim()].filter((text) => text !== ''),
  };
  for (const [kind, names] of Object.entries(facts)) {
    if (names.length === 0 && kind !== 'convertedClass' && kind !== 'llamaCpp') {
      throw new Error(
        `No ${kind} was found in ${folder}: its sources have moved, and readOllamaSources.mjs must follow.`,
      );
    }
  }
  return Object.fromEntries(Object.entries(facts).map(([kind, names]) => [kind, [...new Set(names)].sort()]));
}

/** From a declaration to the brace in the first column that ends it. */
function body(source, head) {
  const start = source.indexOf(head);
  const end = source.indexOf('\n}\n', start);
  return start < 0 || end < 0 ? '' : source.slice(start, end);
}

function matches(source, pattern) {
  return Array.from(source.matchAll(pattern), (match) => match[1]);
}

const quoted = (source) => matches(source, /"([^"\n]+)"/g);
const jsonNames = (source) => matches(source, /json:"(\w+)/g);

function cases(source) {
  return matches(source, /\bcase ((?:"[^"\n]+",?\s*)+):/g).flatMap(quoted);
}

function errorTexts(source) {
  return [
    ...matches(source, /errors\.New\("((?:[^"\\\n]|\\.)+)"\)/g),
    ...matches(source, /fmt\.Errorf\("((?:[^"\\\n]|\\.)+)"/g).filter((text) => text.replace(/%\w/g, '').length > 12),
  ].map((text) => JSON.parse(`"${text}"`));
}

function goFiles(folder, roots) {
  const texts = [];
  const walk = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) {
        walk(inside);
      } else if (entry.name.endsWith('.go') && !entry.name.endsWith('_test.go')) {
        texts.push(readFileSync(inside, 'utf8'));
      }
    }
  };
  for (const root of roots) {
    if (existsSync(join(folder, root))) {
      walk(join(folder, root));
    }
  }
  return texts.join('\n');
}
