import { cpSync, mkdirSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES } from '../support/cli';
import { startOllama } from '../support/e2eOllama';
import { missingVSCode, VSCode } from '../support/vscode';

const NOBODY = { OLLAMA_HOST: '127.0.0.1:1' };

const rugby = (name: string, to: string): void => cpSync(join(FIXTURES, 'rugby', name), to, { recursive: true });

describe.skipIf(missingVSCode !== undefined)('the Artefacts view', () => {
  let code: VSCode;

  beforeAll(async () => {
    code = await VSCode.open({ env: NOBODY });
    await code.openSideBar();
    await code.row('Artefacts', 'lora').waitFor();
  });

  afterAll(async () => {
    await code.close();
  });

  const label = async (start: string): Promise<string> =>
    await code.until(`a row ${start}`, async () => (await code.rows('Artefacts')).find((row) => row.startsWith(start)));

  it('shows what belongs to what, opened to single checkpoints', async () => {
    await code.screenshot('artefacts');
    const rows = await code.rows('Artefacts');
    expect(rows[0]).toMatch(/^base, model, Qwen3, 3\.3 M, BF16, ChatML/);
    for (const start of [
      'lora, PEFT adapter, LoRA r 8',
      '0000300, mlx checkpoint, step 300',
      'checkpoint-180, checkpoint, step 180',
      'base-mlx4, mlx model',
      'base not found: Qwen/Qwen3-1.7B',
    ]) {
      expect(
        rows.some((row) => row.startsWith(start)),
        start,
      ).toBe(true);
    }
  });

  it('marks what is broken, and says why', async () => {
    expect(await label('outputs-old, ')).toMatch(/1 problem: The file announces a header/);
    await code.row('Artefacts', 'outputs-old').locator('.monaco-icon-label').first().waitFor();
    expect(await code.row('Artefacts', 'outputs-old').innerHTML()).toContain('codicon-warning');
  });

  it('offers what fits the item', async () => {
    const adapter = await code.contextMenu('Artefacts', /^lora/);
    await code.screenshot('artefacts-menu');
    await code.page.keyboard.press('Escape');
    expect(adapter).toEqual([
      'Build Ollama Model…',
      'Fuse…',
      'Convert Adapter to GGUF…',
      'New Modelfile from Artefact',
      'Open in Viewer',
      'Inspect',
      'Verify',
      'Compare…',
      'Reveal',
    ]);
    const model = await code.contextMenu('Artefacts', /^base-mlx4/);
    await code.page.keyboard.press('Escape');
    expect(model).toEqual(expect.arrayContaining(['Build Ollama Model…', 'Convert to GGUF…', 'Quantise…']));
    expect(model).not.toContain('Fuse…');
    const broken = await code.contextMenu('Artefacts', /^adapter_model/);
    await code.page.keyboard.press('Escape');
    expect(broken).toEqual(['Open in Viewer', 'Inspect', 'Reveal']);
  });

  it('fuses an adapter that is dropped on its base', async () => {
    await code.closeEditors();
    await code.row('Artefacts', /^dora/).dragTo(code.row('Artefacts', /^base\s*Qwen3/));
    await code.quickInput().waitFor();
    expect(await code.quickTitle()).toMatch(/^Fuse/);
    await code.page.keyboard.press('Enter');
    const plan = await code.planText();
    expect(plan).toMatch(/^Fuse .*dora-fused\n/);
    expect(plan).toMatch(/Adapter +dora +DoRA rank 4/);
  });

  it('puts a result under what it was made from, and opens it', async () => {
    await code.plan('modelfileStudio.buildOllamaModel', {
      base: code.path('base'),
      adapters: [code.path('lora')],
      type: 'Q4_K_M',
      out: code.path('rugby.Q4_K_M.gguf'),
    });
    await code.screenshot('plan');
    await code.runPlan('Build rugby.Q4_K_M.gguf');
    await code.row('Artefacts', 'rugby.Q4_K_M.gguf').waitFor();
    await code.screenshot('job-done');
    await code.clearNotifications();
    const rows = (await code.rows('Artefacts')).map((row) => row.split(',')[0]);
    expect(rows.indexOf('rugby.Q4_K_M.gguf')).toBe(rows.indexOf('lora') + 1);
    await code.row('Artefacts', 'rugby.Q4_K_M.gguf').hover();
    await code.page.locator('.monaco-hover:visible', { hasText: 'Built from' }).first().waitFor();
    await code.row('Artefacts', /^rslora/).hover();
    const tooltip = code.page.locator('.monaco-hover:visible', { hasText: 'applied with scale' }).first();
    await tooltip.waitFor();
    await code.screenshot('tooltip');
    expect(await tooltip.innerText()).toMatch(/[▁-█]{4}\s+layers\s0\sto\s3:\s\|ΔW\|/);
  });

  it('sees what comes, goes and changes, without being asked', async () => {
    rugby('rslora', code.path('runs', 'new-lora'));
    await label('runs/new-lora, PEFT adapter');
    rmSync(code.path('runs'), { recursive: true });
    await code.until(
      'its end',
      async () => !(await code.rows('Artefacts')).some((row) => row.startsWith('runs/new-lora')),
    );
    truncateSync(code.path('svelte-lora', 'adapter_model.safetensors'), 5000);
    await code.until('the damage', async () =>
      (await code.rows('Artefacts')).some((row) => row.startsWith('svelte-lora') && row.includes('problem')),
    );
  });

  it('runs a task, and reads its problems', async () => {
    const outcome = await code.inHost(async (vscode) => {
      const tasks = await vscode.tasks.fetchTasks({ type: 'modelfile-studio' });
      const ended = new Promise<number | undefined>((resolve) => {
        const listener = vscode.tasks.onDidEndTaskProcess((event) => {
          listener.dispose();
          resolve(event.exitCode);
        });
      });
      await vscode.tasks.executeTask(tasks[0]!);
      return { offered: tasks.map(({ name }) => name), exit: await ended };
    });
    expect(outcome.offered).toEqual(['lint all Modelfiles']);
    // The sample has a Modelfile with errors: lint says so.
    expect(outcome.exit).toBe(1);
    await code.until('problems', async () =>
      (
        await code.inHost((vscode) =>
          vscode.languages.getDiagnostics().flatMap(([, found]) => found.map(({ source }) => source)),
        )
      ).includes('modelfile-studio'),
    );
  });

  it('is activated in no time', async () => {
    const ms = await code.inHost(
      (vscode) =>
        (
          vscode.extensions.getExtension('modelfile-studio.modelfile-studio')!.exports as {
            readonly activationMs: number;
          }
        ).activationMs,
    );
    expect(ms).toBeLessThan(100);
  });
});

describe.skipIf(missingVSCode !== undefined)('the Artefacts view without artefacts', () => {
  it('says what to do, and fills when something comes', async () => {
    const code = await VSCode.open({ env: NOBODY, fill: (folder) => mkdirSync(join(folder, 'notes')) });
    try {
      await code.openSideBar();
      await code
        .view('Artefacts')
        .getByText('No adapter, checkpoint, model or GGUF was found in this workspace.')
        .waitFor();
      await code.screenshot('artefacts-empty');
      rugby('base', `${code.folder}-base`);
      renameSync(`${code.folder}-base`, code.path('base'));
      await code.row('Artefacts', 'base').waitFor();
    } finally {
      await code.close();
    }
  });
});

describe.skipIf(missingVSCode !== undefined)('the Artefacts view of a large folder', () => {
  it('shows 120 checkpoints in time', async () => {
    const code = await VSCode.open({
      env: NOBODY,
      fill: (folder) => {
        rugby('base', join(folder, 'base'));
        for (let step = 1; step <= 120; step++) {
          rugby('lora', join(folder, 'outputs', `checkpoint-${step}`));
        }
      },
    });
    try {
      const started = Date.now();
      await code.openSideBar();
      await code.row('Artefacts', 'checkpoint-120').waitFor();
      expect(Date.now() - started).toBeLessThan(15_000);
    } finally {
      await code.close();
    }
  });
});

describe.skipIf(missingVSCode !== undefined)('Build Ollama Model… with a real Ollama', () => {
  it('plans, creates, answers, and shows the model under its adapter', async (context) => {
    const ollama = await startOllama();
    context.skip(ollama === undefined, 'no Ollama is installed for tests (scripts/install/installOllama.mjs)');
    const code = await VSCode.open({ env: { OLLAMA_HOST: ollama?.url ?? '' } });
    try {
      await code.openSideBar();
      await code.row('Artefacts', 'lora').waitFor();
      const plan = await code.plan('modelfileStudio.buildOllamaModel', {
        base: code.path('base'),
        adapters: [code.path('lora')],
        type: 'Q8_0',
        name: 'rugby-league',
      });
      await code.screenshot('plan-create');
      expect(plan).toMatch(/^Create rugby-league\n/);
      expect(plan).toMatch(/\nResult .*Q8_0/);
      expect(plan).toMatch(/\nTemplate /);
      const row = await code.runPlan('Create rugby-league');
      expect(row).toMatch(/^Create rugby-league, done/);
      await code.row('Artefacts', /^rugby-league/).waitFor();
      await code.screenshot('created');
      expect(await ollama?.run('list')).toContain('rugby-league');
      // Again under the same name: the plan says that it stands, and the old one is replaced only when the user says so.
      await code.plan('modelfileStudio.buildOllamaModel', {
        base: code.path('base'),
        adapters: [code.path('dora')],
        type: 'Q8_0',
        name: 'rugby-league',
      });
      await code.page.locator('.codelens-decoration a', { hasText: 'Run' }).first().click();
      expect(await code.answerDialog('Cancel')).toContain('Replace rugby-league?');
    } finally {
      await code.close();
      await ollama?.stop();
    }
  });
});
