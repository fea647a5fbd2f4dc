import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

const NOBODY = { OLLAMA_HOST: '127.0.0.1:1' };

describe.skipIf(missingVSCode !== undefined)('results and plans', () => {
  let code: VSCode;
  photographFailures(() => code);

  beforeAll(async () => {
    code = await VSCode.open({ env: NOBODY });
    await code.openSideBar();
    await code.row('Artefacts', 'lora').waitFor();
  });

  afterAll(async () => {
    await code.close();
  });

  it('ask for a place as the workspace has it, refuse an empty one, and browse', async () => {
    await code.setting('modelfileStudio.output.folder', 'outputs');
    await code.startCommand('modelfileStudio.convert', { base: code.path('base'), type: 'BF16' });
    const shown = await code.until('the suggested file', async () => {
      const value = await code.quickInput().inputValue();
      return value.endsWith('.gguf') && value;
    });
    expect(shown).toBe('outputs/rugby-base.BF16.gguf');
    await code.type('');
    const message = code.page.locator('.quick-input-widget:visible .quick-input-message');
    await code.until('the refusal', async () => (await message.innerText()).includes('Write the name of the file'));
    await code.screenshot('output-empty');
    await code.quickInput().fill('browsed.gguf');
    await code.page.locator('.quick-input-widget:visible .action-label[aria-label^="Browse"]').first().click();
    await code.until('the dialog', async () => (await code.quickInput().inputValue()) === code.path('browsed.gguf'));
    await code.quickInput().fill(code.path('dora', 'chosen.gguf'));
    await code.page.keyboard.press('Enter');
    await code.until('the box again', async () => (await code.quickInput().inputValue()) === 'dora/chosen.gguf');
    await code.page.keyboard.press('Enter');
    expect(await code.planText()).toContain(code.path('dora', 'chosen.gguf'));
    await code.setting('modelfileStudio.output.folder', undefined);
  });

  it('are refused where the run would refuse, without a promise and in words that no terminal is needed for', async () => {
    const plan = await code.plan('modelfileStudio.fuse', {
      base: code.path('base'),
      adapters: [code.path('lora')],
      out: code.path('outputs'),
    });
    expect(plan).toMatch(/^Refused {3}output\/exists$/m);
    expect(plan).not.toMatch(/^Then/m);
    expect(plan.split('In a terminal')[0]).not.toContain('--');
    expect(existsSync(code.path('outputs', 'checkpoint-180'))).toBe(true);
  });
});
