import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { severityProperties, validatorDocument } from '../../scripts/docs/validatorDocument';
import { DIAGNOSTIC_EXAMPLES } from '../../scripts/docs/diagnosticExamples';
import { DIAGNOSTICS, type DiagnosticCode } from '../../src/core/modelfile/diagnosticCodes';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';

/** Told only by what FROM leads to. */
const NEEDS_FACTS: ReadonlySet<DiagnosticCode> = new Set([
  'modelfile/from-invalid-name',
  'modelfile/from-web-address',
  'modelfile/from-several-names',
  'modelfile/file-is-remote',
]);

describe('the table of diagnostics', () => {
  it('is what VALIDATOR.md says (node scripts/docs/write-validator.mjs)', () => {
    expect(readFileSync(new URL('../../language-server/VALIDATOR.md', import.meta.url), 'utf8')).toBe(
      validatorDocument(),
    );
  });

  it('is what the setting of severities offers, code by code', () => {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    for (const [code, property] of Object.entries(severityProperties())) {
      expect(manifest, `node scripts/docs/write-validator.mjs: ${code}`).toContain(`"${code}": {`);
      expect(property).toMatchObject({ type: 'string', enum: ['error', 'warning', 'information', 'hint', 'off'] });
    }
  });

  it('has an example of every code: found before, and not after', () => {
    const codes = Object.keys(DIAGNOSTICS) as DiagnosticCode[];
    const missing = codes.filter((code) => DIAGNOSTIC_EXAMPLES[code] === undefined);
    expect(missing.length, missing.join(', ')).toBeLessThan(codes.length * 0.05);
    for (const code of codes) {
      const { before, after, files } = DIAGNOSTIC_EXAMPLES[code] ?? { before: '', after: '', files: '' };
      if (files === undefined && !NEEDS_FACTS.has(code)) {
        const found = (text: string): boolean => lintText(parseModelfile(`${text}\n`)).some((one) => one.code === code);
        expect([found(before), found(after)], code).toEqual([true, false]);
      }
      expect(parseModelfile(`${after}\n`).verdict.ok || after === '', code).toBe(true);
    }
  });

  it('has a message that says something and a documentation for every code', () => {
    for (const [code, { message, documentation }] of Object.entries(DIAGNOSTICS)) {
      expect(code).toMatch(/^modelfile\/[a-z0-9-]+$/);
      expect(message.length + documentation.length, code).toBeGreaterThan(40);
      expect(documentation, code).not.toBe('');
    }
  });
});
