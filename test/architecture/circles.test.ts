import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli';

/** File to the files of ours that it imports, types too: those the bundler's account leaves out. */
function importsOf(folders: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
      .filter((name) => name.endsWith('.ts') && !name.includes('/assembly/')),
  );
  const known = new Set(files);
  return new Map(
    files.map((file) => [
      file,
      ts
        .preProcessFile(readFileSync(join(ROOT, file), 'utf8'), true, true)
        .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => posix.join(posix.dirname(file), fileName))
        .map((path) => [path, `${path}.ts`, `${path}/index.ts`].find((candidate) => known.has(candidate)))
        .filter((path) => path !== undefined),
    ]),
  );
}

/** Every circle that a walk in depth meets, as the path round it. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const at = path.indexOf(node);
    if (at >= 0) {
      found.push([...path.slice(at), node].join(' > '));
      return;
    }
    if (!done.has(node)) {
      path.push(node);
      graph.get(node)?.forEach(visit);
      path.pop();
      done.add(node);
    }
  };
  [...graph.keys()].forEach(visit);
  return found;
}

/** The graph of rooms; `roomOf` names the room of a file, or undefined for one that stands in none. */
function rooms(
  graph: ReadonlyMap<string, readonly string[]>,
  roomOf: (file: string) => string | undefined,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [file, targets] of graph) {
    const from = roomOf(file);
    for (const to of targets.map(roomOf)) {
      if (from !== undefined && to !== undefined && from !== to) {
        const list = found.get(from) ?? [];
        found.set(from, list.includes(to) ? list : [...list, to]);
      }
    }
  }
  return found;
}

function bothWays(graph: ReadonlyMap<string, readonly string[]>): string[] {
  return [...graph].flatMap(([from, targets]) =>
    targets.filter((to) => from < to && graph.get(to)?.includes(from) === true).map((to) => `${from} and ${to}`),
  );
}

describe('imports', () => {
  const graph = importsOf(['src', 'language-server/src']);

  it('are seen, types too', () => {
    expect(graph.size).toBeGreaterThan(400);
    expect(graph.get('src/core/routes/routeRules.ts')).toContain('src/core/routes/routeFacts.ts');
  });

  it('make no circle of files', () => {
    expect(circles(graph)).toEqual([]);
  });

  // What lies in `formats` itself belongs to no room of its own: all formats may import it, and it them.
  it('never go both ways between two rooms of core', () => {
    const room = (file: string): string | undefined =>
      /^src\/core\/(formats\/[^/]+|(?!formats\/)[^/]+)\//.exec(file)?.[1];
    const found = rooms(graph, room);
    expect(found.get('engine')).toContain('formats/adapters');
    expect(bothWays(found)).toEqual([]);
  });

  it('never go both ways between two rooms of node', () => {
    const room = (file: string): string | undefined => /^src\/node\/([^/]+)\//.exec(file)?.[1];
    const found = rooms(graph, room);
    expect(found.get('engine')).toContain('files');
    expect(bothWays(found)).toEqual([]);
  });
});
