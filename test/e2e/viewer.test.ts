import {
  copyFileSync,
  cpSync,
  ftruncateSync,
  closeSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
  appendFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Frame } from 'playwright-core';
import { buildGguf, textKey, validSpec } from '../hostile/ggufBuilder';
import { FIXTURES, runCliOk } from '../support/cli';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

const ATTACKS = [
  '<img src=x onerror="window.__canary=1">',
  '</script><script>window.__canary=1</script>',
  '[x](command:workbench.action.quit)',
  '$(trash)',
];

function hostileGguf(): Uint8Array {
  const spec = validSpec();
  return buildGguf({
    ...spec,
    keys: [
      ...spec.keys,
      textKey('<svg onload="window.__canary=1">', ATTACKS[0]!),
      textKey('tokenizer.chat_template', `{{ x.__class__ }}${ATTACKS[1]!}`),
    ],
    tensors: [...spec.tensors, ...ATTACKS.map((name) => ({ name })), { name: 'far', offset: 10n ** 12n }],
  });
}

/** 100 GB of nothing behind a header of 500 tensors. */
function writeSparse(path: string): void {
  const bytes = 200_000_000;
  const entries = Array.from(
    { length: 500 },
    (_, index) =>
      `"model.layers.${index}.w":{"dtype":"BF16","shape":[10000,10000],"data_offsets":[${index * bytes},${(index + 1) * bytes}]}`,
  );
  const header = Buffer.from(`{${entries.join()}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, header);
  ftruncateSync(file, 8 + header.length + 500 * bytes);
  closeSync(file);
}

/** 99 MB of header: 1.4 million tensors. */
function writeMillion(path: string): number {
  const parts: string[] = [];
  let length = 2;
  while (length < 98_999_900) {
    const index = parts.length;
    const part = `"l.${index}.w":{"dtype":"U8","shape":[1],"data_offsets":[${index},${index + 1}]}`;
    parts.push(part);
    length += part.length + 1;
  }
  const header = Buffer.from(`{${parts.join()}}`);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, start);
  appendFileSync(path, header);
  appendFileSync(path, Buffer.alloc(parts.length));
  return parts.length;
}

describe.skipIf(missingVSCode !== undefined)('the viewer', () => {
  let code: VSCode;
  let million = 0;
  photographFailures(() => code);

  beforeAll(async () => {
    code = await VSCode.open({
      fill: (folder) => {
        cpSync(join(FIXTURES, 'rugby/lora'), join(folder, 'lora'), { recursive: true });
        cpSync(join(FIXTURES, 'rugby/base'), join(folder, 'base'), { recursive: true });
        writeFileSync(join(folder, 'hostile.gguf'), hostileGguf());
        writeFileSync(
          join(folder, 'pickle.safetensors'),
          Buffer.concat([Buffer.from([0x80, 2]), Buffer.from('}q\u0000.'), Buffer.alloc(40)]),
        );
        writeSparse(join(folder, 'sparse.safetensors'));
        million = writeMillion(join(folder, 'million.safetensors'));
        mkdirSync(join(folder, 'out'));
      },
    });
    await runCliOk([
      'build',
      '--base',
      code.path('base'),
      '--adapter',
      code.path('lora'),
      '--type',
      'Q4_K_M',
      '--out',
      code.path('rugby.Q4_K_M.gguf'),
    ]);
    await runCliOk(['convert', '--base', code.path('base'), '--type', 'BF16', '--out', code.path('rugby.BF16.gguf')]);
  });

  afterAll(async () => {
    await code.close();
  });

  const open = async (...names: readonly string[]): Promise<Frame> => {
    await code.closeEditors();
    await code.openFile(...names);
    return (await code.webview('#viewer .tabs, #viewer .failure', 60_000)).frame;
  };
  const tab = async (frame: Frame, name: string): Promise<void> => {
    await frame.locator(`#tab-${name}`).click();
    await frame.locator(`#panel-${name}`).waitFor();
  };

  it('shows a model at a glance', async () => {
    const frame = await open('rugby.Q4_K_M.gguf');
    await code.screenshot('viewer-summary');
    expect(await frame.locator('.headline').innerText()).toBe(
      'Qwen3 · 3.3 M parameters · Q4_K_M (4.9 bits a weight) · 2.1 MB · context 512',
    );
    expect(await frame.locator('.tabs [role=tab] > span:first-child').allInnerTexts()).toEqual([
      'Summary',
      'Metadata',
      'Tensors',
      'Tokenizer',
      'Template',
      'Problems',
    ]);
    await frame.getByText('Built from').waitFor();
  });

  it('sorts and filters tensors', async () => {
    const frame = await open('rugby.Q4_K_M.gguf');
    await tab(frame, 'tensors');
    await frame.locator('#panel-tensors .sorter', { hasText: 'Size' }).click();
    await frame.locator('#panel-tensors .sorter', { hasText: 'Size' }).click();
    await frame.locator('#panel-tensors .grid-rows .grid-row:not(.coming) .grid-cell').first().waitFor();
    await expect
      .poll(() => frame.locator('#panel-tensors .grid-rows .grid-row').first().innerText())
      .toContain('ffn_down.weight');
    await code.screenshot('viewer-tensors');
    await frame.locator('#panel-tensors input[type=search]').fill('attn_q norm');
    await expect.poll(() => frame.locator('#panel-tensors .count').innerText()).toBe('4 of 46');
  });

  it('tries a text on the tokenizer', async () => {
    const frame = await open('rugby.Q4_K_M.gguf');
    await tab(frame, 'tokenizer');
    await frame.locator('textarea').fill('How wide is the field?<|im_end|>');
    await expect
      .poll(() => frame.locator('.token').allInnerTexts())
      .toEqual(['How', '·wide', '·is', '·the', '·field', '?', '<|im_end|>']);
    expect(await frame.locator('.token.special').count()).toBe(1);
    await code.screenshot('viewer-tokenizer');
    await frame.locator('#panel-tokenizer input[type=search]').fill('field');
    await expect.poll(() => frame.locator('#panel-tokenizer .grid-row').nth(1).innerText()).toContain('field');
  });

  it('shows an adapter by layer and module, against the base beside it', async () => {
    const frame = await open('lora', 'adapter_model.safetensors');
    await tab(frame, 'adapter');
    await frame.locator('.cell').first().waitFor();
    expect(await frame.locator('.cell:not(.absent)').count()).toBe(28);
    await frame.locator('.cell').nth(5).click();
    expect(await frame.locator('.figures').first().innerText()).toMatch(
      /rank 8 · scale 2 · \|ΔW\| [\d.]+ · \|ΔW\|\/\|W\| 0\.\d+/,
    );
    await code.screenshot('viewer-adapter');
  });

  it('is operated by keyboard alone', async () => {
    const frame = await open('rugby.Q4_K_M.gguf');
    await frame.locator('#tab-summary').focus();
    await code.page.keyboard.press('ArrowRight');
    await code.page.keyboard.press('ArrowRight');
    expect(await frame.locator('#tab-tensors').getAttribute('aria-selected')).toBe('true');
    const grid = frame.locator('#panel-tensors [role=grid]');
    await grid.focus();
    await expect.poll(() => grid.getAttribute('aria-rowcount')).toBe('47');
    await code.page.keyboard.press('End');
    await expect
      .poll(async () =>
        frame.locator(`#${String(await grid.getAttribute('aria-activedescendant'))}`).getAttribute('aria-rowindex'),
      )
      .toBe('47');
    await code.page.keyboard.press('Home');
    await code.page.keyboard.press('ArrowDown');
    await expect
      .poll(async () =>
        frame.locator(`#${String(await grid.getAttribute('aria-activedescendant'))}`).getAttribute('aria-rowindex'),
      )
      .toBe('3');
  });

  it('compares two files, down to their values', async () => {
    await code.closeEditors();
    await code.inHost(
      async (vscode, [left, right]: readonly string[]) => {
        await vscode.commands.executeCommand(
          'modelfileStudio.compareInViewer',
          vscode.Uri.file(left!),
          vscode.Uri.file(right!),
        );
      },
      [code.path('rugby.Q4_K_M.gguf'), code.path('rugby.BF16.gguf')],
    );
    const { frame } = await code.webview('#panel-compare .part', 60_000);
    await frame.locator('#panel-compare .part', { hasText: 'Tensors: 29 differ' }).click();
    await frame.locator('#panel-compare .grid-row', { hasText: 'token_embd.weight' }).click();
    await frame.getByText('Compare Values').click();
    await expect.poll(() => frame.locator('#panel-compare .figures').innerText()).toContain('cosine 0.99');
    await code.screenshot('viewer-compare');
  });

  it('copies the JSON that the command line prints', async () => {
    const frame = await open('rugby.Q4_K_M.gguf');
    await frame.getByText('Copy as JSON').click();
    const copied = await code.until('JSON in the clipboard', async () => {
      const text = await code.inHost(async (vscode) => await vscode.env.clipboard.readText());
      return text.startsWith('{') && text;
    });
    expect(JSON.parse(copied)).toEqual(await runCliOk(['inspect', code.path('rugby.Q4_K_M.gguf')]));
  });

  it('shows a hostile file as text, and runs nothing of it', async () => {
    const frame = await open('hostile.gguf');
    await tab(frame, 'problems');
    await code.screenshot('viewer-problems');
    await tab(frame, 'template');
    await frame.locator('pre').first().waitFor();
    await tab(frame, 'metadata');
    await tab(frame, 'tensors');
    const rows = frame.locator('#panel-tensors .grid-rows .grid-row');
    await expect.poll(() => rows.allInnerTexts().then((texts) => texts.join('\n'))).toContain(ATTACKS[0]!);
    expect(await rows.filter({ hasText: 'far' }).getAttribute('class')).toContain('bad');
    for (const each of code.page.frames()) {
      expect(
        await each.evaluate(() => (globalThis as { __canary?: unknown }).__canary).catch(() => undefined),
      ).toBeUndefined();
    }
    expect(await frame.locator('#viewer img, #viewer svg, #viewer iframe, #viewer script').count()).toBe(0);
  });

  it('says plainly what it does not open', async () => {
    const frame = await open('pickle.safetensors');
    expect(await frame.locator('.failure .note').innerText()).toContain('Python pickle');
  });

  it('opens 100 GB as fast as a file of 3 MB', async () => {
    // As the extension tells it in its log: from the opening of the editor, VS Code's own start of a webview included, to the first paint.
    const times = (name: string): number[] =>
      code
        .hostLog()
        .split('\n')
        .flatMap((line) => (line.includes(`${name} was painted`) ? [/painted (\d+) ms/.exec(line)?.[1] ?? ''] : []))
        .map(Number);
    const opened = async (name: string, headline: string): Promise<void> => {
      const before = times(name).length;
      const frame = await open(name);
      expect(await frame.locator('.headline').innerText()).toContain(headline);
      await code.until('the time of the first paint', () => times(name).length > before);
    };
    const [small, large] = ['rugby.Q4_K_M.gguf', 'sparse.safetensors'];
    const best = (name: string): number => Math.min(...times(name));
    // In turn, so that both meet the same machine.
    for (let round = 0; round < 6 && (round < 2 || best(large) > 1.5 * best(small)); round++) {
      await opened(small, '3.3 M parameters');
      await opened(large, '50.0 B parameters');
    }
    console.log(`first paint after ${times(small).join(', ')} ms; 100 GB after ${times(large).join(', ')} ms`);
    expect(best(large)).toBeLessThan(2 * best(small));
  });

  it('opens 1.4 million tensors without holding anything up', async () => {
    await code.closeEditors();
    await code.openFile('million.safetensors');
    // The extension host answers while the header is read.
    const lags: number[] = [];
    const end = Date.now() + 4000;
    while (Date.now() < end) {
      const started = performance.now();
      await code.inHost((vscode) => vscode.version);
      lags.push(performance.now() - started);
    }
    const { frame } = await code.webview('#viewer .tabs', 150_000);
    expect(Math.max(...lags), 'milliseconds that the extension host did not answer').toBeLessThan(1500);
    await tab(frame, 'tensors');
    const grid = frame.locator('#panel-tensors [role=grid]');
    await expect.poll(() => grid.getAttribute('aria-rowcount'), { timeout: 60_000 }).toBe(String(million + 1));
    expect(await frame.locator('#panel-tensors .grid-rows .grid-row').count()).toBeLessThan(80);
    await grid.focus();
    await code.page.keyboard.press('End');
    await expect
      .poll(() => frame.locator('#panel-tensors .grid-rows').innerText(), { timeout: 30_000 })
      .toContain(`l.${million - 1}.w`);
  });

  it('offers to reload a file that changed', async () => {
    const frame = await open('rugby.BF16.gguf');
    copyFileSync(code.path('rugby.Q4_K_M.gguf'), code.path('rugby.BF16.gguf'));
    await frame.getByText('The file has changed on disk.').waitFor({ timeout: 30_000 });
    await frame.getByText('Reload').click();
    await expect.poll(() => frame.locator('.headline').innerText()).toContain('Q4_K_M');
  });

  it.each(['Default Light Modern', 'Default High Contrast', 'Default High Contrast Light'])(
    'is legible in %s',
    async (theme) => {
      await code.theme(theme);
      const frame = await open('rugby.Q4_K_M.gguf');
      await tab(frame, 'tensors');
      await frame.locator('#panel-tensors .grid-rows .grid-row').nth(3).click();
      await code.screenshot(
        `viewer-${theme
          .replace(/^Default /, '')
          .toLowerCase()
          .replaceAll(' ', '-')}`,
      );
      const contrast = await frame.evaluate(() => {
        const numbers = (colour: string): number[] =>
          (/rgba?\(([^)]+)\)/.exec(colour)?.[1] ?? '0,0,0').split(',').map(Number);
        const page = globalThis as unknown as {
          readonly document: { querySelector(selector: string): unknown; readonly body: unknown };
          getComputedStyle(element: unknown): { readonly color: string; readonly backgroundColor: string };
        };
        const luminance = (colour: string): number => {
          const [r, g, b] = numbers(colour).map((value) =>
            value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
          );
          return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
        };
        const background = luminance(page.getComputedStyle(page.document.body).backgroundColor);
        const text = luminance(page.getComputedStyle(page.document.querySelector('h1')).color);
        return (Math.max(background, text) + 0.05) / (Math.min(background, text) + 0.05);
      });
      expect(contrast).toBeGreaterThan(4.5);
    },
  );

  it('breaks no content policy', () => {
    expect(code.pageErrors.filter((line) => /viewer|vscode-webview/.test(line))).toEqual([]);
  });
});
