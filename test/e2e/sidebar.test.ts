import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingVSCode, VSCode } from '../support/vscode';

const NOBODY = { OLLAMA_HOST: '127.0.0.1:1' };

describe.skipIf(missingVSCode !== undefined)('the side bar', () => {
  let code: VSCode;

  beforeAll(async () => {
    code = await VSCode.open({ env: NOBODY });
    await code.openSideBar();
    await code.row('Artefacts', 'lora').waitFor();
  });

  afterAll(async () => {
    await code.close();
  });

  it('shows what belongs to what, opened to single checkpoints', async () => {
    await code.screenshot('artefacts');
    const rows = await code.rows('Artefacts');
    console.log(rows.join('\n'));
    expect(rows.some((row) => row.startsWith('lora, PEFT adapter, LoRA r 8'))).toBe(true);
  });

  it.only('plans before it runs', async () => {
    await code.startCommand('modelfileStudio.buildOllamaModel', { base: code.path('base'), adapters: [code.path('lora')], type: 'Q4_K_M', out: code.path('rugby.Q4_K_M.gguf') });
    const plan = await code.plan().catch(async (error: unknown) => {
      await code.screenshot('failed');
      console.log(await code.hostLog());
      throw error;
    });
    console.log(plan);
    await code.screenshot('plan');
    await code.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    console.log(await code.rows('Jobs'), await code.notifications(), await code.hostLog());
    await code.screenshot('job-done');
    await code.clearNotifications();
    await code.row('Artefacts', 'rugby.Q4_K_M.gguf').waitFor({ timeout: 8000 });
    await code.screenshot('artefacts-built');
    await code.row('Artefacts', 'rugby.Q4_K_M.gguf').hover();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await code.screenshot('tooltip');
    console.log(await code.contextMenu('Artefacts', /^lora/));
    await code.screenshot('menu');
    await code.page.keyboard.press('Escape');
    await code.runCommand('Modelfile Studio: Diagnose Setup');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await code.screenshot('diagnose');
    console.log(await code.hostLog());
  });
});
