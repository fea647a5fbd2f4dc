import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  buildProposal,
  convertAdapterProposal,
  convertProposal,
  createProposal,
  fuseProposal,
  quantizeProposal,
  rebuildProposal,
} from '../../src/extension/wizard/proposals';
import { modelNameFrom, resultPath, stemOf, withoutType } from '../../src/extension/wizard/resultNames';
import { readTarget } from '../../src/extension/wizard/target';
import { recommendedType, typeChoices } from '../../src/extension/wizard/typeChoices';
import { commandText } from '../../src/extension/plans/commandText';
import { planText } from '../../src/extension/plans/planText';
import type { Proposal } from '../../src/extension/plans/proposal';
import { taskArguments, taskDefinition } from '../../src/extension/tasks/taskArguments';
import { JOB_SPEC } from '../../src/extension/jobs/job';
import { parseModelName } from '../../src/core/ollama/modelName';
import { FIXTURES, runCli, runCliOk } from '../support/cli';

const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-plans-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const base = join(FIXTURES, 'rugby/base');
const adapters = [join(FIXTURES, 'rugby/lora')];
const out = join(folder, 'x.gguf');

describe('what a command proposes', () => {
  const proposals: Record<string, Proposal> = {
    build: buildProposal({ base, adapters, type: 'Q4_K_M', out }, 2),
    fuse: fuseProposal({ base, adapters, out: join(folder, 'merged') }, 0),
    convert: convertProposal({ base, type: 'BF16', out }, 0),
    quantize: quantizeProposal({ input: base, type: 'Q8_0', out, requantise: false }, 1),
    'convert-adapter': convertAdapterProposal({ base, adapter: adapters[0]!, type: 'F16', out }),
    rebuild: rebuildProposal(out, { base, adapters: [{ path: adapters[0]!, weight: 0.5 }], type: 'Q8_0' }, 0),
  };

  it.each(Object.entries(proposals))(
    '%s: the command line plans, writes nothing, and is one that a job takes',
    async (_name, proposal) => {
      const plan = await runCliOk(proposal.planArgs);
      expect(plan['ok']).toBe(true);
      expect(String(plan['text'])).toMatch(/^Base +base/);
      expect(readdirSync(folder)).toEqual([]);
      expect(proposal.planArgs.slice(0, proposal.job.args.length)).toEqual(proposal.job.args);
      expect(JOB_SPEC.safeParse(proposal.job).success).toBe(true);
    },
  );

  it('is what runs, and with --force what replaces', async () => {
    await runCliOk(proposals['convert']!.job.args);
    const again = await runCli([...proposals['convert']!.job.args, '--json']);
    expect(again.json).toMatchObject({ error: { code: 'output/exists' } });
    await runCliOk([...proposals['convert']!.job.args, '--force']);
    rmSync(out);
    rmSync(`${out}.build.json`);
  });

  it('builds a GGUF from a GGUF by quantising it', () => {
    expect(rebuildProposal('/w/q4.gguf', { base: '/w/f16.gguf', adapters: [], type: 'Q4_0' }, 0).job.args).toEqual([
      'quantize',
      '/w/f16.gguf',
      '/w/q4.gguf',
      'Q4_0',
      '--allow-requantize',
    ]);
    expect(
      rebuildProposal('/w/q4.gguf', { base: '/w/base', adapters: [{ path: '/w/a', weight: 0.5 }], type: 'Q4_0' }, 0).job
        .args,
    ).toContain('/w/a=0.5');
  });

  it('makes a model from its parts, of a type only where one was chosen', () => {
    expect(createProposal({ base: '/w/x.gguf', adapters: [], type: undefined, name: 'rugby' }, 0).job).toMatchObject({
      args: ['create', 'rugby', '--base', '/w/x.gguf'],
      model: 'rugby',
      from: '/w/x.gguf',
    });
    expect(createProposal({ base: '/w/b', adapters: ['/w/a'], type: 'Q8_0', name: 'rugby' }, 0).job).toMatchObject({
      args: ['create', 'rugby', '--base', '/w/b', '--adapter', '/w/a', '--type', 'Q8_0'],
      from: '/w/a',
    });
  });
});

describe('the page of a plan', () => {
  const proposal = { ...buildProposal({ base, adapters, type: 'Q4_K_M', out }, 0), then: ['A Modelfile is written.'] };

  it('reads top down: what, how, files, command', async () => {
    const { text } = (await runCliOk(proposal.planArgs)) as { readonly text: string };
    const page = planText({ proposal, state: { kind: 'ready', text, exists: true }, keeps: false }, 'linux');
    expect(page.split('\n')[0]).toBe('Build x.gguf');
    expect(page).toMatch(/\nBase +base +Qwen3/);
    expect(page).toMatch(/\nChecks {4}✓ shapes fit this base\n {10}✓ every adapter tensor is used\n/);
    expect(page).toMatch(/\nThen {6}A Modelfile is written\.\n/);
    expect(page).toContain(`  result   ${out}  (exists: Run asks before it is replaced)`);
    expect(page).toContain(`  modelfile-studio build --base ${base} `);
    expect(page.endsWith('\n')).toBe(true);
  });

  it('names types and not options where it warns', () => {
    const state = { kind: 'ready', text: 'Warnings  ! Q8_0 is the usual choice (--type Q8_0)', exists: false } as const;
    expect(planText({ proposal, state, keeps: false }, 'linux')).toContain('is the usual choice (Q8_0)\n');
  });

  it('says why nothing can be run', () => {
    const page = planText(
      {
        proposal,
        state: { kind: 'refused', code: 'adapter/base-mismatch', message: `${'word '.repeat(60)}end \u001b[2J` },
        keeps: false,
      },
      'linux',
    );
    expect(page).toMatch(/\nRefused {3}adapter\/base-mismatch\n {10}word/);
    expect(page).not.toContain('\u001b');
    expect(page).not.toContain('A Modelfile is written');
    expect(page).not.toMatch(/^ {2}result/m);
    expect(
      Math.max(
        ...page
          .split('\nFiles')[0]!
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThan(120);
  });

  it('quotes for the shell of the system', () => {
    expect(commandText('m', ['a b', "it's", '$(x)', '/plain/path.gguf', '', '-c'], 'linux')).toBe(
      `m 'a b' 'it'\\''s' '$(x)' /plain/path.gguf '' -c`,
    );
    expect(commandText('m', ["C:\\it's here\\x", 'C:\\plain\\x', '$env:X', '"&calc'], 'win32')).toBe(
      `m 'C:\\it''s here\\x' C:\\plain\\x '$env:X' '"&calc'`,
    );
  });
});

describe('names of results', () => {
  it('come from the folder that says most', () => {
    expect(stemOf('/w/runs/svelte-lora')).toBe('svelte-lora');
    expect(stemOf('/w/rugby/lora')).toBe('rugby-lora');
    expect(stemOf('/w/rugby/outputs/checkpoint-180')).toBe('outputs-checkpoint-180');
    expect(stemOf('/home/u/.cache/huggingface/hub/models--Qwen--Qwen3-0.6B/snapshots/abc')).toBe('Qwen3-0.6B');
    expect(stemOf('C:\\w\\rugby.F16.gguf')).toBe('rugby.F16');
    expect(withoutType('rugby.Q4_K_M')).toBe('rugby');
    expect(withoutType('rugby-bf16')).toBe('rugby');
    expect(resultPath('/w', 'rugby.F16', 'Q4_K_M')).toBe(join('/w', 'rugby.Q4_K_M.gguf'));
    expect(resultPath('/w', 'rugby-fused')).toBe(join('/w', 'rugby-fused'));
  });

  it('are names that Ollama takes, whatever a folder is called', () => {
    for (const path of ['/w/Svelte LoRA (v2)', '/w/-x', '/w/ü', '/w/a..b', `/w/${'x'.repeat(300)}`, '/w/x:y', '/']) {
      expect(parseModelName(modelNameFrom(stemOf(path))), path).toBeDefined();
      expect(modelNameFrom(stemOf(path))).not.toMatch(/^-/);
    }
  });
});

describe('types to choose from', () => {
  it('are recommended by size, with what they cost', () => {
    expect(recommendedType(600e6)).toBe('Q8_0');
    expect(recommendedType(8e9)).toBe('Q4_K_M');
    const q4 = typeChoices(8e9).find(({ type }) => type === 'Q4_K_M')!;
    expect(q4).toMatchObject({ isRecommended: true });
    expect(q4.description).toMatch(/^about 4\.9 GB · 4\.9 bits a weight · perplexity \+0\.18$/);
    expect(typeChoices(undefined, ['BF16'])).toEqual([
      { type: 'BF16', isRecommended: false, isUsual: true, description: '16.0 bits a weight · no loss' },
    ]);
  });

  it('begin with the usual ones, and each tells its size', () => {
    const all = typeChoices(8e9);
    expect(all.filter(({ isUsual }) => isUsual).map(({ type }) => type)).toEqual([
      'BF16',
      'Q8_0',
      'Q6_K',
      'Q5_K_M',
      'Q4_K_M',
    ]);
    expect(all.findIndex(({ isUsual }) => !isUsual)).toBe(5);
    expect(all.filter(({ description }) => !/^about [\d.]+ GB · /.test(description))).toEqual([]);
    // What is not published is told by the block of its type: 16 values of 4 bits and a scale.
    expect(all.find(({ type }) => type === 'IQ4_NL')!.description).toBe('about 4.5 GB · 4.5 bits a weight');
  });
});

describe('arguments of commands', () => {
  const item = (path: string): unknown => ({
    kind: 'artefact',
    artefact: { path, kind: 'model' },
    label: 'x',
    children: [],
  });
  const file = (fsPath: string): unknown => ({ scheme: 'file', fsPath, path: fsPath });

  it('are items, files, paths or requests', () => {
    expect(readTarget([item('/w/a')]).paths).toEqual(['/w/a']);
    expect(readTarget([item('/w/a'), [item('/w/a'), item('/w/b')]]).paths).toEqual(['/w/a', '/w/b']);
    expect(readTarget([item('/w/c'), [item('/w/a'), item('/w/b')]]).paths).toEqual(['/w/c']);
    expect(readTarget([file('/w/a.gguf'), [file('/w/a.gguf')]]).paths).toEqual(['/w/a.gguf']);
    expect(readTarget(['/w/a']).paths).toEqual(['/w/a']);
    expect(readTarget([{ base: '/w/b', adapters: ['/w/a'], type: 'Q4_K_M' }])).toEqual({
      paths: [],
      base: '/w/b',
      adapters: ['/w/a'],
      type: 'Q4_K_M',
    });
  });

  it('that are junk or forged count as nothing', () => {
    for (const junk of [
      undefined,
      null,
      7,
      '',
      {},
      [],
      { path: 7 },
      { kind: 'artefact' },
      { scheme: 'http', fsPath: '/w' },
      { type: '--force' },
      { base: '' },
      { adapters: 'x' },
      'x'.repeat(5000),
      Symbol('x'),
      () => 1,
    ]) {
      expect(readTarget([junk])).toEqual({ paths: [] });
    }
  });
});

describe('tasks', () => {
  const type = 'modelfile-studio';

  it('are command lines with absolute paths', () => {
    expect(
      taskArguments(
        { type, command: 'build', base: 'base', adapters: ['lora=0.5'], to: 'q4_k_m', out: '-x.gguf' },
        '/w',
      ),
    ).toMatchObject({
      ok: true,
      args: ['build', '--base', '/w/base', '--adapter', '/w/lora=0.5', '--type', 'q4_k_m', '--out', '/w/-x.gguf'],
    });
    expect(
      taskArguments({ type, command: 'quantize', input: '/m/a.gguf', to: 'Q8_0', out: 'b.gguf', force: true }, '/w'),
    ).toMatchObject({ args: ['quantize', '/m/a.gguf', '/w/b.gguf', 'Q8_0', '--force'] });
    expect(taskArguments({ type, command: 'create', name: 'rugby', files: ['Modelfile.rugby'] }, '/w')).toMatchObject({
      args: ['create', 'rugby', '-f', '/w/Modelfile.rugby'],
    });
    expect(
      taskArguments({ type, command: 'create', name: 'rugby', base: 'base', adapters: ['lora'], to: 'Q8_0' }, '/w'),
    ).toMatchObject({ args: ['create', 'rugby', '--base', '/w/base', '--adapter', '/w/lora', '--type', 'Q8_0'] });
    expect(taskArguments({ type, command: 'lint', files: ['Modelfile', '--fix'] }, '/w')).toMatchObject({
      args: ['lint', '/w/Modelfile', '/w/--fix'],
    });
  });

  it('are made of plans, and say exactly what those do', () => {
    const at = (path: string): string => join('/w', path);
    const plans: readonly (readonly string[])[] = [
      buildProposal({ base: at('base'), adapters: [at('lora=0.5')], type: 'Q4_K_M', out: '/elsewhere/x.gguf' }, 3).job
        .args,
      fuseProposal({ base: at('base'), adapters: [at('a'), at('b')], out: at('merged') }, 0).job.args,
      convertProposal({ base: at('base'), type: 'BF16', out: at('x.gguf') }, 0).job.args,
      quantizeProposal({ input: at('x.gguf'), type: 'Q8_0', out: at('y.gguf'), requantise: false }, 0).job.args,
      createProposal({ base: at('base'), adapters: [at('lora')], type: 'Q8_0', name: 'rugby' }, 0).job.args,
    ];
    for (const args of plans) {
      const definition = taskDefinition(args, '/w');
      const again = taskArguments(definition, '/w');
      expect(again.ok && again.args, args.join(' ')).toEqual(
        args.filter((word) => word !== '--workers' && word !== '3'),
      );
    }
    expect(taskDefinition(plans[0]!, '/w')).toMatchObject({
      base: 'base',
      adapters: ['lora=0.5'],
      out: '/elsewhere/x.gguf',
    });
    // What a task cannot say is no task.
    expect(taskDefinition([...plans[3]!, '--allow-requantize'], '/w')).toBeUndefined();
    expect(taskDefinition(['pull', 'x'], '/w')).toBeUndefined();
  });

  it.each([
    [{ type, command: 'rm', name: 'x' }],
    [{ type, command: 'build', base: 'b', to: 'Q4_K_M' }],
    [{ type, command: 'build', base: 'b', to: 'Q99', out: 'x' }],
    [{ type, command: 'fuse', base: 'b', adapters: [], out: 'x' }],
    [{ type, command: 'create', name: '-rf' }],
    [{ type, command: 'create', name: '../x' }],
    [{ type, command: 'lint', files: [] }],
    [{ type, command: 'convert', base: 'a\0b', to: 'F16', out: 'x' }],
    [{ type: 'shell', command: 'lint', files: ['x'] }],
    [null],
  ])('that are wrong are refused with the reason: %j', (definition) => {
    const result = taskArguments(definition, '/w');
    expect(result.ok).toBe(false);
    expect(result.ok ? '' : result.reason).not.toBe('');
  });

  it('run: what they give is what the command line takes', async () => {
    const task = taskArguments({ type, command: 'build', base, adapters, to: 'Q4_0', out: 'task.gguf' }, folder);
    await runCliOk(task.ok ? task.args : []);
    expect(existsSync(join(folder, 'task.gguf'))).toBe(true);
  });
});
