// Writes the documentation pages that are made from the code: node scripts/docs/docs.mjs
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import esbuild from 'esbuild';

const root = join(import.meta.dirname, '../..');

/** Evaluates a pure module of the core. */
async function load(file) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, file)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
  });
  return await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

const { ERROR_CODES } = await load('src/core/errorCodes.ts');
const rows = Object.entries(ERROR_CODES).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
writeFileSync(
  join(root, 'docs/errors.md'),
  `# Error codes

Every error has a stable code, a message that says what happened and what to do next, and often the path and details. Scripts
can rely on the codes; messages may be reworded. In \`--json\` answers an error is \`{"code", "message", "path"?, "line"?, "detail"?}\`.

| code | meaning |
|---|---|
${rows.join('\n')}
`,
);
