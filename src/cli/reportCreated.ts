import { escapeControls } from '../core/escapeControls';
import { formatBytes, formatSeconds } from '../core/formatBytes';
import type { CreatedModel } from '../node/create/createModel';
import type { CommandContext, CommandResult } from './command';
import { modelText } from './ollama';

/** What `create` answers, whatever the model was made of. */
export function reportCreated(model: CreatedModel, { palette }: CommandContext): CommandResult {
  const { seconds, uploadedBytes, answer, previous, kept, warnings, ...rest } = model;
  const json = {
    ok: true,
    ...rest,
    ...(answer === undefined ? {} : { answer }),
    ...(previous === undefined ? {} : { previous }),
    ...(kept.length === 0 ? {} : { kept }),
    uploadedBytes,
    seconds: Number(seconds.toFixed(3)),
    warnings,
  };
  const lines = [
    `${palette.good('Created')}   ${escapeControls(model.name)} · ${model.route} · ${uploadedBytes === 0 ? 'nothing to upload' : `${formatBytes(uploadedBytes)} uploaded`} · ${seconds < 10 ? `${seconds.toFixed(1)} s` : formatSeconds(seconds)}`,
    ...(previous === undefined ? [] : [`Previous  ${escapeControls(previous)}`]),
    ...kept.map((path) => `Kept      ${escapeControls(path)}`),
    ...(answer === undefined ? [] : [`Answer    ${modelText(answer).trim().replace(/\n/g, '\n          ')}`]),
    // Said before anything was sent.
    ...warnings
      .filter(({ code }) => code !== 'ollama/remote-upload')
      .map(({ message }) => `${palette.warning('!')} ${escapeControls(message)}`),
  ];
  return { exitCode: 0, json, text: lines.join('\n') };
}
