import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCliOk } from '../support/cli';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

const FIX = 'Build a GGUF and use it here';

describe.skipIf(missingVSCode !== undefined)('the fix that builds', () => {
  let code: VSCode;
  photographFailures(() => code);

  beforeAll(async () => {
    code = await VSCode.open({ env: { OLLAMA_HOST: '127.0.0.1:1' } });
    // The rows of the jobs tell their states.
    await code.openSideBar();
  });
  afterAll(async () => {
    await (code as VSCode | undefined)?.close();
  });

  /** Titles of the quick fixes at the start of a line, as VS Code gets them, in its order. */
  const fixesAt = async (line: number): Promise<readonly { title: string; isPreferred: boolean | undefined }[]> =>
    await code.inHost(async (vscode, at) => {
      const editor = vscode.window.activeTextEditor!;
      const range = editor.document.lineAt(at).range;
      const actions = await vscode.commands.executeCommand<
        { title: string; kind?: { value: string }; isPreferred?: boolean }[]
      >('vscode.executeCodeActionProvider', editor.document.uri, range);
      return actions
        .filter(({ kind }) => kind?.value.startsWith('quickfix') === true)
        .map(({ title, isPreferred }) => ({ title, isPreferred }));
    }, line);

  it.each([
    ['ADAPTER', 1],
    ['FROM a folder', 0],
  ])('is the first one on %s', async (_what, line) => {
    await code.openFile('Modelfile');
    const fixes = await code.until(`fixes of line ${line}`, async () => {
      const found = await fixesAt(line);
      return found.length > 0 && found;
    });
    expect(fixes[0]).toEqual({ title: FIX, isPreferred: true });
  });

  it('opens the plan, and when that has run FROM names the result and ADAPTER is gone, until one undo', async () => {
    const before = readFileSync(code.path('Modelfile'), 'utf8');
    await code.openFile('Modelfile');
    await code.page.locator('.squiggly-warning').first().waitFor();
    await code.page.locator('.monaco-editor .view-line', { hasText: 'ADAPTER' }).first().click();
    await code.page.keyboard.press('Control+.');
    const menu = code.page.locator('.action-widget');
    await menu.getByText(FIX).first().waitFor();
    await code.screenshot('build-fix-before');
    // It is chosen already.
    await code.page.keyboard.press('Enter');
    const plan = await code.planText();
    expect(plan).toMatch(/Then +FROM of Modelfile names rugby-lora\.BF16\.gguf, and ADAPTER goes/);
    expect(plan).toContain(code.path('lora'));
    expect(readFileSync(code.path('Modelfile'), 'utf8')).toBe(before);
    await code.screenshot('build-fix-plan');
    await code.runPlan('Build rugby-lora.BF16.gguf');
    const after = before.replace('./base', './rugby-lora.BF16.gguf').replace('ADAPTER ./lora\n', '');
    await code.until('the edit', async () => (await code.editorText()) === after);
    await code.screenshot('build-fix-after');
    const { files } = (await runCliOk(['inspect', code.path('rugby-lora.BF16.gguf')])) as {
      files: readonly { ok: boolean }[];
    };
    expect(files.map(({ ok }) => ok)).toEqual([true]);
    await code.inHost((vscode) => vscode.commands.executeCommand('undo'));
    expect(await code.editorText()).toBe(before);
    await code.closeEditors();
    await code.clearNotifications();
  });

  it('asks for another type on the page, and says so where the Modelfile was changed meanwhile', async () => {
    await code.openFile('Modelfile');
    await code.startCommand('modelfileStudio.buildForModelfile');
    await code.planText();
    await code.page.locator('.codelens-decoration a', { hasText: 'Change Type' }).first().click();
    await code.pick('Q4_K_M');
    await code.until('the other plan', async () => (await code.editorText()).includes('rugby-lora.Q4_K_M.gguf'));
    await code.planText();
    const other = 'FROM llama3.2\nSYSTEM Mine.\n';
    await code.inHost(
      async (vscode, { path, text }: { readonly path: string; readonly text: string }) => {
        const document = await vscode.workspace.openTextDocument(path);
        const edit = new vscode.WorkspaceEdit();
        edit.replace(document.uri, new vscode.Range(0, 0, document.lineCount, 0), text);
        await vscode.workspace.applyEdit(edit);
      },
      { path: code.path('Modelfile'), text: other },
    );
    await code.runPlan('Build rugby-lora.Q4_K_M.gguf');
    await code.notification(/does not say FROM \.\/base any more/);
    expect(existsSync(code.path('rugby-lora.Q4_K_M.gguf'))).toBe(true);
    const text = await code.inHost(
      async (vscode, path) => (await vscode.workspace.openTextDocument(path as string)).getText(),
      code.path('Modelfile'),
    );
    expect(text).toBe(other);
    await code.closeEditors();
  });
});
