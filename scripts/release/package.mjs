// Makes what is published, the same bytes for the same sources: `node scripts/release/package.mjs OUT`
// writes OUT/modelfile-studio-VERSION.vsix, its SBOM (CycloneDX) and SHA256SUMS. Times in the archive come from SOURCE_DATE_EPOCH, else
// from the commit.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { softwareBill } from './softwareBill.mjs';

const root = join(import.meta.dirname, '../..');
const out = resolve(process.argv[2] ?? 'release');
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const commitTime = () => execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }).trim();
const env = { ...process.env, SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? commitTime() };

mkdirSync(out, { recursive: true });
const vsix = join(out, `${name}-${version}.vsix`);
const bill = join(out, `${name}-${version}.cdx.json`);
// In a folder of its own, of the files that git knows: what lies about here gets into no package, and dist/ stays as it is.
const stage = mkdtempSync(join(tmpdir(), 'modelfile-studio-release-'));
const run = (...args) =>
  execFileSync(process.execPath, args, { cwd: stage, env, stdio: ['ignore', 'ignore', 'inherit'] });
try {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  for (const file of files.split('\0').filter((path) => path !== '' && !path.startsWith('test/'))) {
    cpSync(join(root, file), join(stage, file));
  }
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'), 'junction');
  run('esbuild.mjs', '--minify');
  run(
    join(root, 'node_modules/@vscode/vsce/vsce'),
    'package',
    '--no-dependencies',
    '--no-rewrite-relative-links',
    '--allow-missing-repository',
    '--out',
    vsix,
  );
  writeFileSync(bill, `${JSON.stringify(softwareBill(stage), null, 2)}\n`);
} finally {
  rmSync(stage, { recursive: true, force: true });
}
const sums = [vsix, bill].map(
  (path) => `${createHash('sha256').update(readFileSync(path)).digest('hex')}  ${basename(path)}`,
);
writeFileSync(join(out, 'SHA256SUMS'), `${sums.join('\n')}\n`);
console.log(sums.join('\n'));
