import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('docs/editors.md', () => {
  it.each(['neovim.lua', 'helix.toml'])('shows %s as the tests against the real editor run it', (name) => {
    expect(read('docs/editors.md')).toContain(read(`language-server/editors/${name}`).trimEnd());
  });

  it('is where the README leads', () => {
    expect(read('README.md')).toContain('docs/editors.md');
  });
});
