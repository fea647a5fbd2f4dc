import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli';
import { temporaryFolder } from '../support/models';

const folder = temporaryFolder();

interface Bill {
  readonly bomFormat: string;
  readonly components: readonly { readonly group?: string; readonly name: string; readonly version: string }[];
}

describe('a release', () => {
  it('has the same bytes when it is made again, and a bill of what is in it', { timeout: 300_000 }, () => {
    const outs = ['one', 'two'].map((name) => join(folder, name));
    for (const out of outs) {
      execFileSync(process.execPath, [join(ROOT, 'scripts/release/package.mjs'), out], { stdio: 'ignore' });
    }
    const [one, two] = outs.map((out) => readFileSync(join(out, 'SHA256SUMS'), 'utf8'));
    expect(one).toMatch(/^[0-9a-f]{64} {2}modelfile-studio-[\d.]+\.vsix\n[0-9a-f]{64} {2}\S+\.cdx\.json\n$/);
    expect(two).toBe(one);

    const name = readdirSync(outs[0]!).find((file) => file.endsWith('.cdx.json'))!;
    const bill = JSON.parse(readFileSync(join(outs[0]!, name), 'utf8')) as Bill;
    expect(bill.bomFormat).toBe('CycloneDX');
    const names = bill.components.map((one) => `${one.group === undefined ? '' : `${one.group}/`}${one.name}`);
    // What the notices name, which are made from the bundles too, and nothing that only builds or tests.
    const notices = readFileSync(join(ROOT, 'dist/NOTICES.txt'), 'utf8');
    const noted = [...notices.matchAll(/^((?:@[\w-]+\/)?[\w.-]+) (\d[\w.-]*) \(/gm)].map(([, id]) => id!);
    expect(new Set(names)).toEqual(new Set(noted));
    expect(names).toContain('zod');
    expect(names).not.toContain('esbuild');
  });
});

describe('workflows', () => {
  const files = readdirSync(join(ROOT, '.github/workflows')).map((name) => ({
    name,
    text: readFileSync(join(ROOT, '.github/workflows', name), 'utf8'),
  }));

  it.each(files)('$name pins what it uses by digest and takes no rights by default', ({ text }) => {
    const used = [...text.matchAll(/uses:\s*(\S+)/g)].map(([, action]) => action!);
    expect(used.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
    expect(text).toMatch(/^permissions:(?: \{\}|\n {2}contents: read)$/m);
    expect(text).not.toMatch(/pull_request_target|workflow_run/);
    // Values of an event are strangers' words: they come through the environment, never into a script.
    expect(text.match(/run: .*\$\{\{/g) ?? []).toEqual([]);
  });

  it('give no secret to what pull requests run', () => {
    for (const { text } of files.filter((file) => file.text.includes('pull_request'))) {
      expect(text).not.toContain('secrets.');
    }
  });
});
