// Writes docs/security.md from the table of threats. `node scripts/docs/write-security.mjs`
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { NOT_RUN_HERE, THREATS } from './threats.mjs';

export function securityPage() {
  const rows = THREATS.map(
    ([id, threat, promise, tests]) =>
      `| ${id} | ${threat} | ${promise} | ${tests.map(([file, name]) => `\`${file}\`: ${name}`).join('<br>')} |`,
  );
  return `<!-- Written by scripts/docs/write-security.mjs. -->

# Security

Artefacts, templates, names and answers of servers come from strangers. What is done about each kind of attack, and the
test that shows it. A test of its own fails when a row names none that is there.

| id | what can go wrong | what happens | shown by |
|---|---|---|---|
${rows.join('\n')}

## Not run on Linux

| file | what differs |
|---|---|
${NOT_RUN_HERE.map(([file, what]) => `| \`${file}\` | ${what} |`).join('\n')}
`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync('docs/security.md', securityPage());
}
