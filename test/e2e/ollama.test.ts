import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES, runCliOk } from '../support/cli';
import { startOllama, type TestOllama } from '../support/e2eOllama';
import { missingVSCode, photographFailures, VSCode } from '../support/vscode';

describe.skipIf(missingVSCode !== undefined)('the Ollama view without a server', () => {
  let code: VSCode;
  photographFailures(() => code);
  const emptyPath = mkdtempSync(join(tmpdir(), 'modelfile-studio-path-'));

  beforeAll(async () => {
    // Nobody listens at port 1.
    code = await VSCode.open({ env: { OLLAMA_HOST: '127.0.0.1:1' } });
    await code.openSideBar();
  });

  afterAll(async () => {
    await code.close();
    rmSync(emptyPath, { recursive: true });
  });

  it('says why there is nothing, and what to do', async () => {
    const welcome = code.view('Ollama').locator('.welcome-view-content');
    await welcome.waitFor();
    expect(await welcome.innerText()).toMatch(/not installed|not running/);
    expect(await welcome.locator('.monaco-button').count()).toBeGreaterThan(0);
    await code.screenshot('ollama-missing');
  });

  it('refuses what needs a server with words that help', async () => {
    await code.runCommand('Modelfile Studio: Show Model');
    const message = await code.notification(/Ollama/);
    expect(await message.innerText()).toMatch(/ollama\/not-(?:installed|running)/);
    await code.clearNotifications();
  });

  it('asks once before another machine is used, and takes no for an answer', async () => {
    await code.setting('modelfileStudio.ollama.host', 'http://192.0.2.7:11434');
    const welcome = code.view('Ollama').locator('.welcome-view-content');
    await welcome.getByText('another machine').waitFor();
    await welcome.getByRole('button', { name: 'Allow' }).click();
    expect(await code.answerDialog('Cancel')).toContain('192.0.2.7');
    await welcome.getByText('another machine').waitFor();
    await code.setting('modelfileStudio.ollama.host', undefined);
  });

  it('says so when the settings switch Ollama off', async () => {
    await code.setting('modelfileStudio.ollama.enabled', false);
    await code.view('Ollama').locator('.welcome-view-content').getByText('switched off').waitFor();
    await code.setting('modelfileStudio.ollama.enabled', undefined);
  });
});

describe.skipIf(missingVSCode !== undefined)('with a real Ollama', () => {
  let code: VSCode;
  photographFailures(() => code);
  let ollama: TestOllama | undefined;

  beforeAll(async () => {
    ollama = await startOllama();
    if (ollama === undefined) {
      console.log('not run: the Ollama view with a real server (node scripts/install/installOllama.mjs builds one)');
      return;
    }
    await ollama.createRugby('rugby-base');
    await ollama.createRugby('rugby', 'lora');
    code = await VSCode.open({ env: { OLLAMA_HOST: ollama.url } });
    await code.openSideBar();
    await code.row('Ollama', 'rugby:latest').waitFor();
  });

  afterAll(async () => {
    await (code as VSCode | undefined)?.close();
    await ollama?.stop();
  });

  it('lists the models with size and type', async (context) => {
    context.skip(ollama === undefined);
    const rows = await code.rows('Ollama');
    expect(rows).toHaveLength(2);
    expect(rows.find((row) => row.startsWith('rugby:latest'))).toMatch(/Ollama model, 3\.31M · Q8_0 · 3\.5 MB/);
    const menu = await code.contextMenu('Ollama', 'rugby:latest');
    expect(menu).toEqual(
      expect.arrayContaining(
        ['Try Model…', 'Show Model…', 'Copy Model Name…', 'Remove Model…'].map(
          (label) => expect.stringContaining(label.replace('…', '')) as string,
        ),
      ),
    );
    await code.page.keyboard.press('Escape');
  });

  it('shows a model as a Modelfile that nobody can write to', async (context) => {
    context.skip(ollama === undefined);
    await code.inHost((vscode) => vscode.commands.executeCommand('modelfileStudio.ollama.show', 'rugby:latest'));
    const { text, language, scheme } = await code.inHost((vscode) => {
      const document = vscode.window.activeTextEditor?.document;
      return { text: document?.getText() ?? '', language: document?.languageId, scheme: document?.uri.scheme };
    });
    expect(text).toMatch(/^# rugby:latest\n# Family: qwen3\n# Parameters: 3\.31M\n# Type: Q8_0\n/);
    expect(text).toContain('PARAMETER stop');
    expect([language, scheme]).toEqual(['modelfile', 'modelfile-studio-ollama']);
    await code.screenshot('ollama-show');
  });

  it('copies the name, and the model', async (context) => {
    context.skip(ollama === undefined);
    await code.inHost((vscode) =>
      vscode.commands.executeCommand('modelfileStudio.ollama.copyName', { name: 'rugby:latest' }),
    );
    expect(await code.inHost((vscode) => vscode.env.clipboard.readText())).toBe('rugby:latest');
    await code.startCommand('modelfileStudio.ollama.copy', 'rugby:latest');
    await code.type('rugby:second');
    await code.row('Ollama', 'rugby:second').waitFor();
  });

  it('removes a model only after the question was answered', async (context) => {
    context.skip(ollama === undefined);
    await code.startCommand('modelfileStudio.ollama.remove', 'rugby:second');
    expect(await code.answerDialog('Cancel')).toContain('rugby:second');
    expect(await ollama?.run('list')).toContain('rugby:second');
    await code.startCommand('modelfileStudio.ollama.remove', 'rugby:second');
    await code.answerDialog('Remove');
    await code.row('Ollama', 'rugby:second').waitFor({ state: 'detached' });
    expect(await ollama?.run('list')).not.toContain('rugby:second');
  });

  it('answers in the Try panel beside the base, with the figures and the exact prompt', async (context) => {
    context.skip(ollama === undefined);
    await code.inHost((vscode) =>
      vscode.commands.executeCommand('modelfileStudio.tryWithBase', 'rugby:latest', [
        { name: 'rugby:latest' },
        { name: 'rugby-base:latest' },
      ]),
    );
    const panel = await code.webview('#message');
    await panel.locator('#message').fill('How wide is a rugby league field?');
    await panel.locator('#message').press('Enter');
    const facts = panel.locator('article .facts', { hasText: /tokens.a.second/ });
    await facts.nth(1).waitFor({ timeout: 60_000 });
    const texts = await panel.locator('article .text').allInnerTexts();
    expect(texts[0]).toContain('68 metres wide');
    expect(texts[1]).toContain('70 metres wide');
    const [first, second] = await facts.allInnerTexts();
    expect(first).toMatch(/ended.by.itself · seed.\d+/);
    expect(/seed.\d+/.exec(first ?? '')?.[0]).toBe(/seed.\d+/.exec(second ?? '')?.[0]);
    await panel.locator('article .prompt summary').first().click();
    const prompt = panel.locator('article .prompt pre').first();
    await prompt.locator('.token').first().waitFor();
    expect(await prompt.innerText()).toBe(
      '<|im_start|>user\nHow wide is a rugby league field?<|im_end|>\n<|im_start|>assistant\n',
    );
    await code.screenshot('try');
    await code
      .row('Ollama', /running/)
      .first()
      .waitFor();
  });

  it('brings the conversation back after a reload', async (context) => {
    context.skip(ollama === undefined);
    await code.reload();
    const panel = await code.webview('article .text', 40_000);
    expect((await panel.locator('article .text').allInnerTexts())[0]).toContain('68 metres wide');
    expect(await panel.locator('#model0').inputValue()).toBe('rugby:latest');
  });

  it('stops an answer', async (context) => {
    context.skip(ollama === undefined);
    const panel = await code.webview('#message');
    await panel.locator('#settings summary').click();
    await panel.locator('#num_predict').fill('-1');
    await panel.locator('#temperature').fill('3');
    await panel.locator('#message').fill('Tell me everything, without an end.');
    await panel.locator('#message').press('Enter');
    await panel.locator('#stop').waitFor();
    await panel.locator('#message').press('Escape');
    await panel.locator('#stop').waitFor({ state: 'hidden' });
    await panel.locator('#send:not([disabled])').waitFor();
  });

  it('takes a model out of memory', async (context) => {
    context.skip(ollama === undefined);
    await code.openSideBar();
    await code.inHost((vscode) => vscode.commands.executeCommand('modelfileStudio.ollama.unload', 'rugby:latest'));
    await code.until('rugby to be unloaded', async () => !((await ollama?.run('ps')) ?? '').includes('rugby:latest'));
  });

  it('runs a model in a terminal, without a shell', async (context) => {
    context.skip(ollama === undefined);
    await code.inHost((vscode) => vscode.commands.executeCommand('modelfileStudio.ollama.run', 'rugby:latest'));
    const options = await code.inHost((vscode) => {
      const terminal = vscode.window.terminals.find(({ name }) => name === 'rugby:latest');
      const { shellPath, shellArgs } = (terminal?.creationOptions ?? {}) as {
        shellPath?: string;
        shellArgs?: readonly string[];
      };
      terminal?.dispose();
      return { shellPath, shellArgs };
    });
    expect(options.shellPath).not.toMatch(/(?:^|\/)(?:ba|z)?sh$/);
    expect(options.shellArgs?.slice(-2)).toEqual(['run', 'rugby:latest']);
  });

  it('asks before a model is pushed, and ends a pull that cannot be with the reason', async (context) => {
    context.skip(ollama === undefined);
    await code.startCommand('modelfileStudio.ollama.push', 'rugby:latest');
    expect(await code.answerDialog('Cancel')).toContain('registry.ollama.ai');
    // Nobody listens at port 1 of this machine: a registry that is down.
    await code.startCommand('modelfileStudio.ollama.pull', '127.0.0.1:1/nobody/nothing:latest');
    await code.job(/Pull/, /, failed/);
    await code.clearNotifications();
    expect(await ollama?.run('list')).not.toContain('nothing');
  });

  it('fuses the adapter of an installed model from its row, and leaves the model alone', async (context) => {
    context.skip(ollama === undefined);
    await ollama?.createWithAdapter('rugby-layer', 'lora');
    await code.row('Ollama', 'rugby-layer:latest').waitFor();
    await code.row('Ollama', /rugby-layer:latest.*adapter on top/).waitFor();
    expect(await code.contextMenu('Ollama', 'rugby-layer:latest')).toContain('Fuse Installed Adapter…');
    await code.screenshot('rescue-row');
    await code.page.keyboard.press('Escape');
    expect(await code.contextMenu('Ollama', 'rugby-base:latest')).not.toContain('Fuse Installed Adapter…');
    await code.page.keyboard.press('Escape');
    await code.startCommand('modelfileStudio.fuseInstalledAdapter', 'rugby-base:latest');
    await code.notification(/has no adapter on top of its weights/);
    await code.clearNotifications();
    await code.startCommand('modelfileStudio.fuseInstalledAdapter', 'rugby-layer:latest');
    const input = code.quickInput();
    await input.waitFor();
    expect(await input.inputValue()).toBe('rugby-layer-fused');
    await code.page.keyboard.press('Enter');
    const plan = await code.planText();
    expect(plan).toMatch(/^Route +fuse-quantise · Q8_0/m);
    expect(plan).toContain('Template, system, parameters and licence are those of rugby-layer');
    await code.screenshot('rescue-plan');
    await code.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
    await code.row('Ollama', 'rugby-layer-fused:latest').waitFor({ timeout: 120_000 });
    await code.screenshot('rescue-after');
    const shown = (await ollama?.run('show', '--modelfile', 'rugby-layer-fused')) ?? '';
    expect(shown).not.toMatch(/^ADAPTER/m);
    expect(shown).toMatch(/^PARAMETER stop <\|im_end\|>$/m);
    expect(shown).toMatch(/^SYSTEM .*rugby league/m);
    expect((await ollama?.run('show', '--modelfile', 'rugby-layer')) ?? '').toMatch(/^ADAPTER/m);
    await code.closeEditors();
    await code.clearNotifications();
  });

  it('builds for a Modelfile on an installed base, and writes down what that base hands on', async (context) => {
    context.skip(ollama === undefined);
    code.write('onto.modelfile', 'FROM rugby-base\nADAPTER ./lora\nSYSTEM Mine.\nPARAMETER temperature 1\n');
    await code.openFile('onto.modelfile');
    await code.startCommand('modelfileStudio.buildForModelfile');
    const plan = await code.planText();
    expect(plan).toMatch(/^Result +rugby-lora\.Q8_0\.gguf/m);
    expect(plan).toContain('ollama:rugby-base');
    await code.runPlan('Build rugby-lora.Q8_0.gguf');
    const text = await code.until('the edit', async () => {
      const found = await code.editorText();
      return found.startsWith('FROM ./rugby-lora.Q8_0.gguf\n') && found;
    });
    expect(text).toMatch(
      /^FROM \.\/rugby-lora\.Q8_0\.gguf\nTEMPLATE """\{\{- range \.Messages [\s\S]*"""\nPARAMETER stop .*<\|im_end\|>.*\nSYSTEM Mine\.\nPARAMETER temperature 1\n$/,
    );
    await code.inHost((vscode) => vscode.commands.executeCommand('undo'));
    expect(await code.editorText()).toContain('FROM rugby-base\nADAPTER ./lora\n');
    await code.closeEditors();
    await code.clearNotifications();
  });

  it('creates a model from a Modelfile: at once from a GGUF, by a plan where something is built; asks before it replaces one, and keeps the old one', async (context) => {
    context.skip(ollama === undefined);
    await code.openFile('Modelfile');
    await code.startCommand('modelfileStudio.createFromModelfile');
    await code.type('rugby-e2e');
    const plan = await code.planText();
    expect(plan).toMatch(/Modelfile +.*Modelfile · for Ollama \d+\.\d+\.\d+/);
    expect(plan).toMatch(/Build +line 1: .*base with .*lora fused into it becomes a GGUF here, BF16/);
    await code.screenshot('plan-of-modelfile');
    await code.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
    await code.row('Ollama', 'rugby-e2e:latest').waitFor({ timeout: 120_000 });
    await code.openFile('Modelfile');
    await code.startCommand('modelfileStudio.planFromModelfile');
    await code.type('rugby-e2e');
    expect(await code.planText()).toContain('rugby-e2e:previous');
    await code.page.locator('.codelens-decoration a', { hasText: 'Change Type' }).first().click();
    await code.pick('Q8_0');
    await code.until('the other plan', async () => /becomes a GGUF here, Q8_0/.test(await code.editorText()));
    await code.planText();
    await code.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
    expect(await code.answerDialog('Replace')).toContain('rugby-e2e');
    await code.row('Ollama', 'rugby-e2e:previous').waitFor({ timeout: 120_000 });
    await code.closeEditors();
    // Nothing is to be built of a GGUF.
    const base = join(FIXTURES, 'rugby/base');
    await runCliOk(['build', '--base', base, '--type', 'Q8_0', '--out', code.path('plain.gguf')]);
    code.write('plain.modelfile', 'FROM ./plain.gguf\n');
    await code.openFile('plain.modelfile');
    await code.startCommand('modelfileStudio.createFromModelfile');
    await code.type('rugby-plain');
    await code.row('Ollama', 'rugby-plain:latest').waitFor({ timeout: 120_000 });
    await code.startCommand('modelfileStudio.createFromModelfile');
    await code.type('rugby-plain');
    expect(await code.answerDialog('Replace')).toContain('rugby-plain:latest');
    await code.row('Ollama', 'rugby-plain:previous').waitFor({ timeout: 120_000 });
  });

  it('violates no content security policy', () => {
    expect((code as VSCode | undefined)?.pageErrors ?? []).toEqual([]);
  });
});
