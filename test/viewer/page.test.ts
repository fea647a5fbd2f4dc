import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EditorMessage, PageMessage } from '../../src/core/viewer/viewerProtocol';
import { viewerPage } from '../../src/extension/editors/viewerPage';
import { ROOT } from '../support/cli';

const WEBVIEW = join(ROOT, 'src/extension/webview');
const scripts = readdirSync(WEBVIEW, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(WEBVIEW, name), 'utf8'));
const parts = {
  cspSource: 'https://*.vscode-cdn.net',
  nonce: 'abc123',
  scriptUri: 'https://x/viewer.js',
  styleUri: 'https://x/viewer.css',
};

describe('the page of the viewer', () => {
  it('has a policy that lets its one script run and nothing else', () => {
    const html = viewerPage(parts);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1];
    expect(policy).toBe("default-src 'none'; script-src 'nonce-abc123'; style-src https://*.vscode-cdn.net");
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toMatch(/ on\w+=|style=|javascript:|unsafe/);
  });

  it('takes nothing that comes from a file', () => {
    // All that can differ are the four parts, which the editor makes.
    expect(viewerPage.length).toBe(1);
    expect(Object.keys(parts)).toEqual(['cspSource', 'nonce', 'scriptUri', 'styleUri']);
  });

  it('makes elements from text only', () => {
    expect(scripts.length).toBeGreaterThan(10);
    for (const script of scripts) {
      expect(script).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\b|new Function|setTimeout\(['"`]|\.src\s*=|\.href\s*=/,
      );
    }
  });

  it('uses the colours of the theme alone', () => {
    const css = readFileSync(join(ROOT, 'media/viewer.css'), 'utf8');
    // The one colour of its own is the last resort of a border.
    expect(css.replace('rgba(128, 128, 128, 0.35)', '')).not.toMatch(/#[0-9a-f]{3,8}\b|rgba?\(|hsl/i);
    expect(css).toMatch(/prefers-reduced-motion/);
    expect(css).toMatch(/vscode-high-contrast/);
    expect(css).not.toMatch(/@import|url\(/);
  });

  it('compiles against the browser it runs in', () => {
    execFileSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', join(WEBVIEW, 'tsconfig.json')],
      { stdio: 'pipe' },
    );
  });
});

describe('messages', () => {
  it('from the page name no file and no command', () => {
    for (const message of [
      { kind: 'ask', id: 1, question: { ask: 'compare', path: '/etc/passwd' } },
      { kind: 'ask', id: 1, question: { ask: 'json' } },
      { kind: 'do', action: 'workbench.action.quit' },
      { kind: 'ask', id: -1, question: { ask: 'summary' } },
      {
        kind: 'ask',
        id: 1,
        question: {
          ask: 'tensors',
          filter: '',
          sort: 'file',
          descending: false,
          onlyProblems: false,
          start: 0,
          count: 10_000_000,
        },
      },
      { kind: 'copy', text: 'x'.repeat(3_000_000) },
      null,
      'ready',
      {},
    ]) {
      expect(PageMessage.safeParse(message).success, JSON.stringify(message).slice(0, 80)).toBe(false);
    }
    // What an adapter's question says of a base is dropped: only the editor chooses one.
    const parsed = PageMessage.parse({ kind: 'ask', id: 1, question: { ask: 'adapter', base: '/etc' } });
    expect(parsed).toEqual({ kind: 'ask', id: 1, question: { ask: 'adapter' } });
  });

  it('from the editor are of the agreed form', () => {
    expect(EditorMessage.safeParse({ kind: 'start', name: 'x', strings: {}, trusted: true }).success).toBe(true);
    expect(EditorMessage.safeParse({ kind: 'summary', summary: { name: 'x' } }).success).toBe(false);
  });
});
