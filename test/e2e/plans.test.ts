import { existsSync } from 'node:fs';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeLargeModel } from '../support/largeModel';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

const NOBODY = { OLLAMA_HOST: '127.0.0.1:1' };

describe.skipIf(missingVSCode !== undefined)('results and plans', () => {
  let code: VSCode;
  photographFailures(() => code);

  beforeAll(async () => {
    const { makeSampleWorkspace } = (await import(
      new URL('../../scripts/vscode/sampleWorkspace.mjs', import.meta.url).href
    )) as { makeSampleWorkspace: (folder: string) => void };
    code = await VSCode.open({
      env: NOBODY,
      fill: (folder) => {
        makeSampleWorkspace(folder);
        writeLargeModel(`${folder}/large`, 8);
      },
      settings: { 'modelfileStudio.engine.workers': 1 },
    });
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
    // The dialog reads the folder first; then it is accepted.
    await code.quickRows().filter({ hasText: 'README' }).or(code.quickRows().first()).first().waitFor();
    await code.until('the box again', async () => {
      const ok = code.page.locator('.quick-input-widget:visible .quick-input-action a', { hasText: 'OK' });
      if (await ok.isVisible()) {
        await ok.click();
      }
      return (await code.quickInput().inputValue()) === 'dora/chosen.gguf';
    });
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

  const lens = (text: string): Locator => code.page.locator('.codelens-decoration a', { hasText: text }).first();

  it('stay with their result: run by Ctrl+Enter, changed in place, and told what came of them', async () => {
    await code.plan('modelfileStudio.convert', {
      base: code.path('base'),
      type: 'BF16',
      out: code.path('stays.BF16.gguf'),
    });
    expect(await code.tabs()).toHaveLength(1);
    await lens('Type…').click();
    await code.quickRows().filter({ hasText: 'Q8_0' }).first().waitFor();
    await code.quickInput().fill('Q8_0');
    await code.page.keyboard.press('Enter');
    // Everything else is as it was chosen, and a name that told the type tells the new one.
    const changed = await code.until('the new plan', async () => {
      const text = await code.editorText();
      return text.includes('stays.Q8_0.gguf') && !/^Planning/m.test(text) && text;
    });
    expect(changed).not.toContain('BF16.gguf');
    expect(await code.tabs()).toEqual(['Plan: Convert stays.Q8_0.gguf']);
    await lens('Run').waitFor();
    await code.screenshot('plan-ready');
    await code.page.locator('.editor-instance .view-lines').first().click();
    await code.page.keyboard.press('Control+Enter');
    const done = await code.until('what came of it', async () => {
      const text = await code.editorText();
      return text.startsWith('✓ Done in') && text;
    });
    expect(done).toMatch(/^✓ Done in \d+ s · [\d.]+ [KM]B\n\nConvert stays\.Q8_0\.gguf\n/);
    await lens('Build Again').waitFor();
    await lens('Reveal').waitFor();
    await code.screenshot('plan-done');
    await lens('Build Again').click();
    expect(await code.answerDialog('Cancel')).toContain('stays.Q8_0.gguf');
  });

  it('are cancelled in place, with progress on the page', async () => {
    await code.plan('modelfileStudio.quantize', {
      path: code.path('large'),
      type: 'Q4_K_M',
      out: code.path('cancelled.gguf'),
    });
    await lens('Run').click();
    await lens(' %').waitFor();
    await code.screenshot('plan-running');
    await lens('Cancel').click();
    await code.until('the end', async () => (await code.editorText()).startsWith('Cancelled after'));
    expect(existsSync(code.path('cancelled.gguf'))).toBe(false);
  });

  it('are there again after a reload, with what can be done about them', async () => {
    await code.plan('modelfileStudio.convert', {
      base: code.path('base'),
      type: 'F16',
      out: code.path('reloaded.F16.gguf'),
    });
    await code.reload();
    const again = await code.until('the plan again', async () => {
      const text = await code.editorText();
      return text.includes('reloaded.F16.gguf') && text;
    });
    expect(again).toMatch(/^Result/m);
    await lens('Run').click();
    await code.until('the end', async () => (await code.editorText()).startsWith('✓ Done in'));
    expect(existsSync(code.path('reloaded.F16.gguf'))).toBe(true);
  });
});
