import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { validatorDocument } from '../../scripts/docs/validatorDocument';
import { DIAGNOSTICS } from '../../src/core/modelfile/diagnosticCodes';

describe('the table of diagnostics', () => {
  it('is what VALIDATOR.md says (node scripts/docs/write-validator.mjs)', () => {
    expect(readFileSync(new URL('../../language-server/VALIDATOR.md', import.meta.url), 'utf8')).toBe(
      validatorDocument(),
    );
  });

  it('has a message that says something and a documentation for every code', () => {
    for (const [code, { message, documentation }] of Object.entries(DIAGNOSTICS)) {
      expect(code).toMatch(/^modelfile\/[a-z0-9-]+$/);
      expect(message.length + documentation.length, code).toBeGreaterThan(40);
      expect(documentation, code).not.toBe('');
    }
  });
});
