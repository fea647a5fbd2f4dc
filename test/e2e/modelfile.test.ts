import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCliOk } from '../support/cli';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

const THEMES = [
  'Default Light Modern',
  'Default Dark Modern',
  'Default High Contrast',
  'Default High Contrast Light',
] as const;

describe.skipIf(missingVSCode !== undefined)('editing a Modelfile', () => {
  let code: VSCode;
  photographFailures(() => code);

  beforeAll(async () => {
    code = await VSCode.open({ env: { OLLAMA_HOST: '127.0.0.1:1' } });
  });

  afterAll(async () => {
    await (code as VSCode | undefined)?.close();
  });

  it('shows errors, lenses and the state of the language server', async () => {
    await code.openFile('broken.modelfile');
    await code.page.locator('.squiggly-error').first().waitFor();
    await code.page.locator('.codelens-decoration', { hasText: 'Preview prompt' }).first().waitFor();
    await code.page.locator('.codelens-decoration', { hasText: 'context 512' }).first().waitFor();
    await code.page
      .locator('.statusbar-item[id*="languageStatus"], .statusbar-item#status\\.languageStatus')
      .first()
      .waitFor();
    await code.screenshot('modelfile-errors');
  });

  it('fixes by keyboard: to the error, to its fix, and in', async () => {
    await code.page.locator('.monaco-editor').first().click();
    await code.runCommand('Go to Next Problem');
    await code.page.keyboard.press('Escape');
    await code.page.keyboard.press('Control+.');
    const menu = code.page.locator('.action-widget', { hasText: 'temperature' });
    await menu.waitFor();
    await code.screenshot('quick-fix');
    await menu.getByText('temperature').first().waitFor();
    await code.page.keyboard.press('Enter');
    await code.until('the fix', async () => (await code.editorText()).includes('PARAMETER temperature 0.7'));
    await code.inHost((vscode) => vscode.commands.executeCommand('workbench.action.files.revert'));
  });

  it('completes while one types', async () => {
    await code.closeEditors();
    code.write('typing.modelfile', 'FROM ./base\n');
    await code.openFile('typing.modelfile');
    await code.page.locator('.monaco-editor .view-lines').first().click();
    await code.page.keyboard.press('Control+End');
    await code.page.keyboard.type('PARAMETER num_');
    const list = code.page.locator('.suggest-widget.visible');
    await list.getByText('num_ctx').first().waitFor();
    await code.screenshot('completion');
    await code.page.keyboard.press('Escape');
    await code.closeEditors();
  });

  it('previews the prompt, follows the text, and marks what is special', async () => {
    await code.openFile('Modelfile');
    await code.runCommand('Modelfile Studio: Preview Prompt');
    const page = await code.webview('#prompt .token');
    expect(await page.locator('#prompt').innerText()).toBe(
      '<|im_start|>system\nYou answer questions about rugby league.<|im_end|>\n<|im_start|>user\nWhat can you do for me?<|im_end|>\n<|im_start|>assistant\n',
    );
    expect(await page.locator('#question').inputValue()).toBe('What can you do for me?');
    expect(await page.locator('#tokens').innerText()).toMatch(/^\d+ tokens of 512 \(num_ctx\)$/);
    await page.locator('#conversation').selectOption('turns');
    await page.locator('#prompt', { hasText: 'What can I do for you?' }).waitFor();
    await page.locator('#question').fill('And how long?');
    await page.locator('#prompt', { hasText: 'And how long?' }).waitFor();
    await code.inHost(async (vscode) => {
      const editor = vscode.window.visibleTextEditors.find(({ document }) => document.languageId === 'modelfile');
      const text = editor?.document.getText() ?? '';
      await editor?.edit((edit) =>
        edit.replace(editor.document.positionAt(text.indexOf('rugby league.')), 'union or '),
      );
    });
    await page.locator('#prompt', { hasText: 'union or rugby league' }).waitFor();
    await code.inHost(async (vscode) => {
      const editor = vscode.window.visibleTextEditors.find(({ document }) => document.languageId === 'modelfile');
      const text = editor?.document.getText() ?? '';
      await editor?.edit((edit) => edit.insert(editor.document.positionAt(text.indexOf('{{ .Content')), '{{ if }}'));
    });
    await page.locator('#notes .error', { hasText: 'missing value for if' }).waitFor();
    await code.screenshot('preview-error');
    await code.closeEditors();
  });

  it('shows what TEMPLATE writes otherwise than the model, by character and by token, and that a fix mends it', async () => {
    // One newline less behind the head of the answer than the base's own template has, and no end behind past answers.
    const own = (end: string): string =>
      `FROM ./base\nTEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}${end}\n{{ end }}<|im_start|>assistant\n"""\n`;
    code.write('differs.modelfile', own(''));
    await code.openFile('differs.modelfile');
    // The comparison comes after the other diagnostics.
    await code.until('the comparison', async () =>
      code.inHost((vscode) =>
        vscode.languages
          .getDiagnostics()
          .some(([, all]) => all.some(({ message }) => /end of turn is missing/.test(message))),
      ),
    );
    // What the light bulb offers at TEMPLATE.
    const titles = await code.inHost(async (vscode) => {
      const { document } = vscode.window.activeTextEditor!;
      const found = await vscode.commands.executeCommand<
        { title: string; command?: { command: string; arguments?: unknown[] } }[]
      >('vscode.executeCodeActionProvider', document.uri, new vscode.Range(1, 0, 1, 8));
      const { command } = found.find(({ title }) => title === 'Show Differences') ?? {};
      if (command !== undefined) {
        await vscode.commands.executeCommand(command.command, ...(command.arguments ?? []));
      }
      return found.map(({ title }) => title);
    });
    expect(titles).toContain('Show Differences');
    const page = await code.webview('#pair ins, #pair del');
    expect(await page.locator('#difference').locator('option').first().innerText()).toMatch(/end of turn is missing/);
    expect(await page.locator('#pair .own').innerText()).toContain('<|im_end|>');
    expect(await page.locator('#pair .file').innerText()).not.toContain('<|im_end|>');
    // By token: the end of turn is one.
    expect(await page.locator('#marks').inputValue()).toBe('tokens');
    expect(await page.locator('#pair .own del').allInnerTexts()).toContain('<|im_end|>');
    // Nothing goes beyond the page, however long the sentence.
    expect(
      await page.locator('html').evaluate((node) => {
        const { scrollWidth, clientWidth } = node as unknown as { scrollWidth: number; clientWidth: number };
        return scrollWidth <= clientWidth;
      }),
    ).toBe(true);
    await code.screenshot('differences-tokens');
    await page.locator('#marks').selectOption('characters');
    expect((await page.locator('#pair .own del').allInnerTexts()).join('')).toContain('<|im_end|>');
    await code.inHost(async (vscode) => {
      const editor = vscode.window.visibleTextEditors.find(({ document }) => document.languageId === 'modelfile');
      const text = editor?.document.getText() ?? '';
      const at = editor?.document.positionAt(text.indexOf('{{ .Content }}') + '{{ .Content }}'.length);
      await editor?.edit((edit) => edit.insert(at!, '<|im_end|>'));
    });
    await page.locator('#meaning', { hasText: 'No difference that means anything' }).waitFor();
    await page.locator('#compare').uncheck();
    await page.locator('#prompt .token').first().waitFor();
    await code.closeEditors();
  });

  it('keeps a preview over a reload', async () => {
    await code.openFile('Modelfile');
    await code.runCommand('Modelfile Studio: Preview Prompt');
    const page = await code.webview('#prompt .token');
    await page.locator('#conversation').selectOption('begun');
    await page.locator('#prompt', { hasText: 'Let me begin' }).waitFor();
    // VS Code keeps the state of pages with its workspace's, every few seconds.
    await code.page.waitForTimeout(6000);
    await code.reload();
    const again = await code.webview('#prompt .token', 40_000);
    await again.locator('#prompt', { hasText: 'Let me begin' }).waitFor();
  });

  it.each(THEMES)('can be read in %s', async (theme) => {
    await code.theme(theme);
    await code.openSideBar();
    const page = await code.webview('#prompt .token');
    const contrast = await page
      .locator('#prompt .token')
      .first()
      .evaluate((element) => {
        const luminance = (colour: string): number => {
          const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? [])
            .map(Number)
            .map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const style = (node: unknown): { color: string; backgroundColor: string } =>
          (
            globalThis as unknown as { getComputedStyle(node: unknown): { color: string; backgroundColor: string } }
          ).getComputedStyle(node);
        let behind = element as unknown as { parentElement: typeof behind | null } | null;
        while (behind !== null && /rgba\(0, 0, 0, 0\)|transparent/.test(style(behind).backgroundColor)) {
          behind = behind.parentElement;
        }
        const [a, b] = [
          luminance(style(element).color),
          luminance(behind === null ? 'rgb(255,255,255)' : style(behind).backgroundColor),
        ];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      });
    expect(contrast).toBeGreaterThan(4.5);
    await code.screenshot(`theme-${theme.replaceAll(' ', '-')}`);
  });

  it('inserts template and parameters of a library model, without a network, and takes them back', async () => {
    await code.closeEditors();
    code.write('insert.modelfile', 'FROM ./base\nTEMPLATE {{ .Prompt }}\nSYSTEM Be short.\n');
    await code.openFile('insert.modelfile');
    await code.runCommand('Modelfile Studio: Insert Template from Library Model…');
    await code.type('gemma2');
    const text = await code.until(
      'the template',
      async () => {
        const found = await code.editorText();
        return found.includes('<start_of_turn>') && found;
      },
      40_000,
    );
    expect(text).toMatch(/^FROM \.\/base\nTEMPLATE """[\s\S]*<start_of_turn>[\s\S]*\nSYSTEM Be short\.\n$/);
    await code.clearNotifications();
    await code.startCommand('modelfileStudio.insertParameters');
    await code.type('gemma2');
    await code.until(
      'the parameters',
      async () => /PARAMETER stop "?<end_of_turn>/.test(await code.editorText()),
      40_000,
    );
    await code.inHost((vscode) => vscode.commands.executeCommand('undo'));
    expect(await code.editorText()).toBe(text);
    await code.closeEditors();
  });

  it('shows the walkthrough, which works without a network', async () => {
    await code.theme('Default Light Modern');
    await code.closeEditors();
    await code.inHost((vscode) =>
      vscode.commands.executeCommand(
        'workbench.action.openWalkthrough',
        'modelfile-studio.modelfile-studio#start',
        false,
      ),
    );
    await code.page.getByText('From an adapter to a model in Ollama').first().waitFor();
    // The pictures are shown where there is room for them.
    await code.inHost((vscode) => vscode.commands.executeCommand('workbench.action.closeSidebar'));
    for (const step of ['Open the sample', 'See what training left', 'Build a model', 'Write a Modelfile', 'Try it']) {
      await code.page.locator('.getting-started-step', { hasText: step }).first().click();
      await code.page.waitForTimeout(700);
      await code.screenshot(`walkthrough-${step.replaceAll(' ', '-')}`);
    }
    await code.closeEditors();
    await code.openSideBar();
  });

  it('opens the sample, a copy that may be changed, in a window of its own', async () => {
    const [window] = await Promise.all([
      code.page.context().waitForEvent('page'),
      code.runCommand('Modelfile Studio: Try the Sample'),
    ]);
    await window.waitForURL(/folder=.*modelfile-studio\.modelfile-studio.*sample/);
    const folder = new URL(window.url()).searchParams.get('folder') ?? '';
    await window.close();
    expect(readdirSync(folder).sort()).toEqual(['Modelfile', 'base-mlx4', 'lora']);
    const { files } = (await runCliOk(['inspect', join(folder, 'lora')])) as { files: readonly { ok: boolean }[] };
    expect(files.map(({ ok }) => ok)).toEqual([true]);
    await runCliOk([
      'build',
      '--base',
      join(folder, 'base-mlx4'),
      '--adapter',
      join(folder, 'lora'),
      '--type',
      'Q8_0',
      '--out',
      join(folder, 'rugby.gguf'),
    ]);
  });

  it('violates no content security policy', () => {
    expect(code.pageErrors).toEqual([]);
  });
});
