import { escapeControls } from '../../core/escapeControls';
import { diagnoseSetup, type SetupCheck } from '../../node/process/diagnoseSetup';
import { diagnoseTools } from '../../node/tools/diagnoseTools';
import type { Command } from '../command';
import { text as optionText } from '../options';

const MARKS: Readonly<Record<SetupCheck['status'], string>> = { ok: '✓', note: '·', problem: '!' };

/** `doctor [DIR…]`: what of this machine matters to a build, whether it is as it should be, and which tools of others there are. */
export const doctor: Command = {
  name: 'doctor',
  usage: '[DIR…] [--python PATH]',
  does: 'check this machine: Node, kernels, memory, disk space, Ollama; which Python, llama.cpp and Docker are there',
  options: { python: { type: 'string' } },
  async run(positionals, options, context) {
    const folders = positionals.length === 0 ? ['.'] : positionals;
    const [setup, tools] = await Promise.all([
      diagnoseSetup(folders, context.bundleFolder, context.signal),
      diagnoseTools(folders, { python: optionText(options, 'python'), signal: context.signal }),
    ]);
    const checks = [...setup, ...tools.checks];
    const width = Math.max(...checks.map(({ name }) => name.length)) + 2;
    const { palette } = context;
    const lines = checks.map(({ name, status, text, next }) => {
      const mark =
        status === 'ok' ? palette.good(MARKS.ok) : status === 'problem' ? palette.warning(MARKS.problem) : MARKS.note;
      return `${mark} ${palette.strong(name.padEnd(width))}${escapeControls(text)}${next === undefined ? '' : `\n  ${' '.repeat(width)}${escapeControls(next)}`}`;
    });
    return {
      exitCode: checks.some(({ status }) => status === 'problem') ? 1 : 0,
      json: {
        ok: checks.every(({ status }) => status !== 'problem'),
        checks,
        pythons: tools.pythons,
        programs: tools.programs,
      },
      text: lines.join('\n'),
    };
  },
};
