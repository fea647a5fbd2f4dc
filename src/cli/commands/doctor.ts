import { escapeControls } from '../../core/escapeControls';
import { diagnoseSetup, type SetupCheck } from '../../node/process/diagnoseSetup';
import type { Command } from '../command';

const MARKS: Readonly<Record<SetupCheck['status'], string>> = { ok: '✓', note: '·', problem: '!' };

/** `doctor [DIR…]`: what of this machine matters to a build, and whether it is as it should be. */
export const doctor: Command = {
  name: 'doctor',
  usage: '[DIR…]',
  does: 'check this machine: Node, kernels, memory, disk space, Ollama',
  options: {},
  async run(positionals, _options, context) {
    const checks = await diagnoseSetup(
      positionals.length === 0 ? ['.'] : positionals,
      context.bundleFolder,
      context.signal,
    );
    const width = Math.max(...checks.map(({ name }) => name.length)) + 2;
    const { palette } = context;
    const lines = checks.map(({ name, status, text, next }) => {
      const mark =
        status === 'ok' ? palette.good(MARKS.ok) : status === 'problem' ? palette.warning(MARKS.problem) : MARKS.note;
      return `${mark} ${palette.strong(name.padEnd(width))}${escapeControls(text)}${next === undefined ? '' : `\n  ${' '.repeat(width)}${escapeControls(next)}`}`;
    });
    return {
      exitCode: checks.some(({ status }) => status === 'problem') ? 1 : 0,
      json: { ok: checks.every(({ status }) => status !== 'problem'), checks },
      text: lines.join('\n'),
    };
  },
};
