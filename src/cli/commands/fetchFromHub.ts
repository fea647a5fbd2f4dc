import { formatBytes } from '../../core/formatBytes';
import type { HubKind } from '../../core/formats/huggingface/hubFiles';
import type { Command } from '../command';
import { follow } from '../follow';
import { flag, text, usageError } from '../options';

function fetchCommand(kind: HubKind): Command {
  const name = `fetch-${kind}`;
  return {
    name,
    usage: 'ORG/NAME[@REVISION] [--out DIR] [--dry-run]',
    does:
      kind === 'model'
        ? 'brings a base model from the Hugging Face hub, only the files that are needed'
        : 'brings an adapter from the Hugging Face hub',
    options: { out: { type: 'string' }, 'dry-run': { type: 'boolean' } },
    async run(positionals, options, context) {
      const [reference] = positionals;
      if (reference === undefined || positionals.length > 1) {
        throw usageError(`${name} takes one repository: modelfile-studio ${name} ORG/NAME.`);
      }
      const { fetchFromHub, planHubFetch } = await import('../../node/hub/hubClient');
      const plan = await planHubFetch({ reference, kind, out: text(options, 'out'), signal: context.signal });
      const files = plan.files.map(({ path, bytes }) => ({ path, bytes }));
      const facts = {
        repository: plan.repository,
        revision: plan.revision,
        commit: plan.commit,
        folder: plan.folder,
        bytes: plan.bytes,
        files,
      };
      context.say(`${plan.repository} · ${plan.files.length} files · ${formatBytes(plan.bytes)} · to ${plan.folder}`);
      if (flag(options, 'dry-run')) {
        const list = plan.files.map(({ path, bytes }) => `  ${path}  ${formatBytes(bytes)}`).join('\n');
        const head = `Result    ${plan.repository} · ${plan.files.length} files · ${formatBytes(plan.bytes)} · revision ${plan.revision}`;
        return { exitCode: 0, json: { ok: true, dryRun: true, ...facts, text: `${head}\n${list}` }, text: list };
      }
      const report = await follow(fetchFromHub(plan), context);
      const kept = report.kept > 0 ? `, ${formatBytes(report.kept)} of them were there already` : '';
      return {
        exitCode: 0,
        json: { ok: true, ...facts, kept: report.kept },
        text: `${context.palette.good('Done')}      ${report.folder} · ${report.files} files, ${formatBytes(report.bytes)}${kept}`,
      };
    },
  };
}

export const fetchModel = fetchCommand('model');
export const fetchAdapter = fetchCommand('adapter');
