import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NEWEST_KNOWN } from '../../src/core/ollama/ollamaTable';
import { startOllama } from '../../test/support/e2eOllama';
import { VSCode } from '../../test/support/vscode';

const OUT = join(process.cwd(), 'media/screenshots');

/** One picture, in the theme that most people see first. */
async function shoot(code: VSCode, name: string): Promise<void> {
  await code.page.mouse.move(1200, 18);
  await code.page.waitForTimeout(700);
  renameSync(await code.screenshot(name), join(OUT, `${name}.png`));
  console.log(`media/screenshots/${name}.png`);
}

/** Makes the side bar as wide as its longest usual line. */
async function widen(code: VSCode): Promise<void> {
  const sash = code.page.locator('.monaco-sash.vertical').first();
  const box = await code.page.locator('.part.sidebar').boundingBox();
  if (box !== null && (await sash.count()) > 0) {
    await code.page.mouse.move(box.x + box.width, 500);
    await code.page.mouse.down();
    await code.page.mouse.move(box.x + 400, 500, { steps: 5 });
    await code.page.mouse.up();
  }
}

/** ADAPTER with its fix, and the same Modelfile when the fix has run. */
async function fixThatBuilds(code: VSCode): Promise<void> {
  await code.openFile('Modelfile');
  await code.page.locator('.squiggly-warning, .squiggly-info').first().waitFor();
  await code.page.locator('.monaco-editor .view-line', { hasText: 'ADAPTER' }).first().click();
  await code.page.keyboard.press('Control+.');
  await code.page.locator('.action-widget', { hasText: 'Build a GGUF and use it here' }).waitFor();
  await shoot(code, 'fix-before');
  await code.page.keyboard.press('Enter');
  await code.planText();
  await code.runPlan(/Build rugby-lora/);
  await code.until('the edit', async () => !(await code.editorText()).includes('ADAPTER'));
  await code.notification(/rugby-lora.*done/);
  await code.clearNotifications();
  await shoot(code, 'fix-after');
  await code.inHost((vscode) => vscode.commands.executeCommand('undo'));
  await code.clearNotifications();
  await code.closeEditors();
}

/** The route of a model in Ollama; and a model with an adapter layer on its way to a fused one. */
async function routesAndRescue(code: VSCode): Promise<void> {
  await code.plan('modelfileStudio.buildOllamaModel', {
    base: code.path('base'),
    adapters: [code.path('rslora')],
    type: 'Q8_0',
    name: 'rugby-rslora',
  });
  await shoot(code, 'routes');
  await code.closeEditors();
  await code.row('Ollama', /rugby-layer:latest.*adapter on top/).waitFor();
  await code.startCommand('modelfileStudio.fuseInstalledAdapter', 'rugby-layer:latest');
  await code.type('rugby-fused');
  await code.planText();
  await shoot(code, 'rescue');
  await code.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
  await code.notification(/Fuse rugby-layer.*done/, 120_000);
  await code.clearNotifications();
  await code.closeEditors();
}

/** Takes the pictures of the README, on the sample workspace and a real Ollama. */
export async function takeScreenshots(): Promise<void> {
  mkdirSync(OUT, { recursive: true });
  const models = mkdtempSync(join(tmpdir(), 'modelfile-studio-models-'));
  // A model from before, in the store of a server of today.
  const before = await startOllama({ models });
  await before?.createWithAdapter('rugby-layer', 'lora');
  await before?.stop();
  const ollama = await startOllama({ models, version: NEWEST_KNOWN });
  await ollama?.createRugby('rugby-base');
  await ollama?.createRugby('rugby', 'lora');
  const code = await VSCode.open({
    size: { width: 1440, height: 820 },
    env: { OLLAMA_HOST: ollama?.url ?? '127.0.0.1:1' },
    settings: { 'workbench.colorTheme': 'Default Dark Modern' },
  });
  try {
    await code.openSideBar();
    await widen(code);
    await code.row('Artefacts', 'lora').waitFor();

    await code.plan('modelfileStudio.buildOllamaModel', {
      base: code.path('base'),
      adapters: [code.path('lora')],
      type: 'Q4_K_M',
      out: code.path('rugby.Q4_K_M.gguf'),
    });
    await shoot(code, 'plan');
    await code.runPlan('rugby.Q4_K_M');
    await code.clearNotifications();
    await code.closeEditors();
    await fixThatBuilds(code);
    if (ollama !== undefined) {
      await routesAndRescue(code);
    }

    await code.openFile('Modelfile');
    await code.page.locator('.codelens-decoration', { hasText: 'LoRA' }).first().waitFor();
    await code.runCommand('Modelfile Studio: Preview Prompt');
    await code.webview('#prompt .token');
    await shoot(code, 'modelfile');
    await code.closeEditors();

    await code.inHost(
      (vscode, path) =>
        vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(path as string), 'modelfileStudio.viewer'),
      code.path('rugby.Q4_K_M.gguf'),
    );
    const viewer = await code.webview('#viewer [role="tablist"]');
    await viewer.locator('[role="tab"]', { hasText: 'Tensors' }).first().click();
    await shoot(code, 'viewer');
    await code.closeEditors();

    if (ollama !== undefined) {
      await code.inHost((vscode) =>
        vscode.commands.executeCommand('modelfileStudio.tryWithBase', 'rugby:latest', [
          { name: 'rugby:latest' },
          { name: 'rugby-base:latest' },
        ]),
      );
      const panel = await code.webview('#message');
      await panel.locator('#message').fill('How wide is a rugby league field?');
      await panel.locator('#message').press('Enter');
      await panel
        .locator('article .facts', { hasText: /tokens.a.second/ })
        .nth(1)
        .waitFor({ timeout: 60_000 });
      for (const column of [0, 1]) {
        await panel.locator('article .prompt summary').nth(column).click();
        await panel.locator('article .prompt').nth(column).locator('.token').first().waitFor();
      }
      await shoot(code, 'try');
    }
  } finally {
    await code.close();
    await ollama?.stop();
    rmSync(models, { recursive: true, force: true });
  }
}
