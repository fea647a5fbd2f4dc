import { toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { formatBytes } from '../../core/formatBytes';
import { filesToVerify, verifyFile, type VerifiedFile } from '../../node/engine/verifyFile';
import type { Command } from '../command';
import { usageError } from '../options';

export const verify: Command = {
  name: 'verify',
  usage: 'PATH…',
  does: 'read files strictly again and look for NaN and Inf',
  options: {},
  async run(positionals, _options, context) {
    if (positionals.length === 0) {
      throw usageError('verify needs a file or a folder. For example: verify model.gguf');
    }
    const files: VerifiedFile[] = [];
    for (const path of positionals) {
      try {
        for (const file of await filesToVerify(path)) {
          context.status?.(`Verifying ${escapeControls(file)}…`);
          files.push(await verifyFile(file, context.signal));
        }
      } catch (thrown) {
        const error = toStudioError(thrown);
        if (error.code === 'run/cancelled') {
          throw error;
        }
        files.push({ path, ok: false, problems: [error.toJSON()] });
      }
    }
    context.status?.('');
    const failed = files.some((file) => !file.ok);
    const json = {
      ok: !failed,
      files: files.map(({ problems, ...file }) => ({
        ...file,
        problems,
        ...(problems[0] === undefined ? {} : { error: problems[0] }),
      })),
    };
    return { exitCode: failed ? 1 : 0, json, text: files.map((file) => describe(file, context.palette)).join('\n') };
  },
};

function describe(file: VerifiedFile, palette: { good(text: string): string; warning(text: string): string }): string {
  const head = file.ok ? palette.good('✓') : palette.warning('✗');
  const what =
    file.tensors === undefined
      ? ''
      : ` · ${file.format ?? ''} · ${file.tensors} tensors · ${formatBytes(file.bytes ?? 0)}`;
  return [
    `${head} ${escapeControls(file.path)}${what}`,
    ...(file.unreadTypes === undefined
      ? []
      : [`    Values of type ${file.unreadTypes.join(', ')} were not looked at: only their place and size were.`]),
    ...file.problems.map((problem) => `    ${problem.code}: ${escapeControls(problem.message)}`),
  ].join('\n');
}
