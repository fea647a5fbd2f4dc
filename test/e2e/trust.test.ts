import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOllama, type TestOllama } from '../support/e2eOllama';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

/** May be called without trust: they show what is open anyway. */
const HARMLESS = [
  'showLogs',
  'restartLanguageServer',
  'previewPrompt',
  'newModelfile',
  'showJobLog',
  'clearJobs',
  'removeJob',
  'openInViewer',
];

describe.skipIf(missingVSCode !== undefined)('a workspace that is not trusted', () => {
  let code: VSCode;
  let ollama: TestOllama | undefined;
  photographFailures(() => code);

  beforeAll(async () => {
    ollama = await startOllama();
    code = await VSCode.open({ trust: false, env: { OLLAMA_HOST: ollama?.url ?? '127.0.0.1:1' } });
    await code.openSideBar();
  });

  afterAll(async () => {
    await (code as VSCode | undefined)?.close();
    await ollama?.stop();
  });

  it('is one', async () => {
    expect(await code.inHost((vscode) => vscode.workspace.isTrusted)).toBe(false);
  });

  it('shows no artefact and asks no server, and says why', async () => {
    await code.view('Artefacts').locator('.welcome-view-content').getByText(/trust/i).first().waitFor();
    await code.view('Ollama').locator('.welcome-view-content').getByText(/trust/i).first().waitFor();
    expect(await code.rows('Artefacts')).toEqual([]);
    await code.screenshot('untrusted');
  });

  it('checks the text of a Modelfile, and looks at no file', async () => {
    await code.openFile('broken.modelfile');
    const messages = await code.until('diagnostics', async () => {
      const found = await code.inHost((vscode) =>
        vscode.languages.getDiagnostics().flatMap(([, list]) => list.map(({ message }) => message)),
      );
      return found.length > 0 && found;
    });
    expect(messages.some((message) => message.includes('temprature'))).toBe(true);
    const hovers = await code.inHost(async (vscode) => {
      const list = await vscode.commands.executeCommand<{ contents: { value: string }[] }[]>(
        'vscode.executeHoverProvider',
        vscode.window.activeTextEditor?.document.uri,
        new vscode.Position(0, 8),
      );
      return list.flatMap(({ contents }) => contents.map(({ value }) => value)).join('\n');
    });
    expect(hovers).not.toContain('Qwen3');
  });

  it('previews a prompt', async () => {
    await code.openFile('Modelfile');
    await code.runCommand('Modelfile Studio: Preview Prompt');
    const page = await code.webview('#prompt .token');
    expect(await page.locator('#prompt').innerText()).toContain('You answer questions about rugby league.');
    await code.closeEditors();
  });

  it('opens a file in the viewer', async () => {
    await code.inHost(
      (vscode, path) =>
        vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(path as string), 'modelfileStudio.viewer'),
      code.path('base/model.safetensors'),
    );
    const page = await code.webview('#viewer [role="tablist"]');
    expect(await page.locator('#viewer').innerText()).toContain('model.safetensors');
    await code.closeEditors();
  });

  it('refuses every command that runs, scans, sends or writes, however it is called', async () => {
    const before = readdirSync(code.folder, { recursive: true }).sort();
    const manifest = await code.inHost(
      (vscode) =>
        vscode.extensions.getExtension('modelfile-studio.modelfile-studio')?.packageJSON as {
          contributes: { commands: { command: string }[] };
        },
    );
    const ids = manifest.contributes.commands
      .map(({ command }) => command)
      .filter((id) => !HARMLESS.includes(id.replace('modelfileStudio.', '')));
    expect(ids.length).toBeGreaterThan(25);
    const request = {
      path: code.path('base'),
      base: code.path('base'),
      adapters: [code.path('lora')],
      type: 'Q8_0',
      out: code.path('never.gguf'),
      name: 'never',
    };
    for (const id of ids) {
      await code.clearNotifications();
      // VS Code shows no more than a few messages a second.
      await code.page.waitForTimeout(900);
      await code.startCommand(id, request);
      await code.until(
        `the refusal of ${id}`,
        async () => (await code.notifications()).some((message) => message.includes('not trusted')),
        5000,
      );
      expect(await code.page.locator('.quick-input-widget:visible').count(), id).toBe(0);
    }
    expect(await code.rows('Jobs')).toEqual([]);
    expect(existsSync(code.path('never.gguf'))).toBe(false);
    expect(readdirSync(code.folder, { recursive: true }).sort()).toEqual(before);
    await code.clearNotifications();
  });

  it('offers nothing of this in the palette', async () => {
    await code.openPalette('Modelfile Studio: Build');
    await code.page.waitForTimeout(500);
    expect(await code.quickRows().filter({ hasText: 'Build' }).count()).toBe(0);
    await code.page.keyboard.press('Escape');
  });

  it('shows everything once it is trusted', async () => {
    await code.runCommand('Workspaces: Manage Workspace Trust');
    await code.page
      .getByRole('button', { name: /^Trust$/ })
      .first()
      .click();
    await code.until('trust', async () => code.inHost((vscode) => vscode.workspace.isTrusted));
    await code.openSideBar();
    await code.row('Artefacts', 'lora').waitFor();
    expect(code.pageErrors).toEqual([]);
  });
});
