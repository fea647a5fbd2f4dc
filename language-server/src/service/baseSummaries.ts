import type { Range } from 'vscode-languageserver-types';
import { formatBytes } from '../../../src/core/formatBytes';
import type { PathFacts, WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { parseModelReference, shortModelName } from '../../../src/core/ollama/modelName';
import type { ModelfileDocument } from './modelfileDocument';

/** One line about what a FROM or ADAPTER leads to. */
export interface BaseSummary {
  readonly range: Range;
  /** `Qwen3ForCausalLM · 6.6 MB · context 512`; what is not known is left out. */
  readonly text: string;
}

/** What the FROM and ADAPTER lines lead to, in a few words each; lines of which nothing is known have none. */
export async function computeBaseSummaries(
  document: ModelfileDocument,
  facts: WorkspaceFacts,
  signal?: AbortSignal,
): Promise<readonly BaseSummary[]> {
  const entries = [...document.context.all('model'), ...document.context.all('adapter')];
  const found = await Promise.all(
    entries.map(async ({ instruction, command }) => {
      const path = await facts.path(command.args, signal);
      const text =
        describe(path) ??
        (command.name === 'model' && path.kind === 'absent'
          ? await describeName(command.args, facts, signal)
          : undefined);
      return text === undefined || text === '' ? [] : [{ range: document.range(instruction.span), text }];
    }),
  );
  return found.flat();
}

function join(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' · ');
}

const context = (tokens: number | undefined): string | undefined =>
  tokens === undefined ? undefined : `context ${tokens.toLocaleString('en-US')}`;

function describe(path: PathFacts): string | undefined {
  switch (path.kind) {
    case 'gguf':
      return join([
        path.gguf.architecture,
        path.gguf.role === 'adapter' ? 'adapter' : path.gguf.quantisation,
        formatBytes(path.gguf.bytes),
        context(path.gguf.contextLength),
      ]);
    case 'model-folder':
      return join([
        path.model.architecture?.replace(/ForCausalLM$/, ''),
        formatBytes(path.model.bytes),
        context(path.model.contextLength),
      ]);
    case 'adapter-folder': {
      const { method, rank, scale } = path.adapter;
      const name = { lora: 'LoRA', rslora: 'rsLoRA', dora: 'DoRA', full: 'full fine-tune' }[method];
      return join([
        name,
        rank === undefined ? undefined : `rank ${rank}`,
        scale === undefined ? undefined : `scale ${Number(scale.toPrecision(4))}`,
      ]);
    }
    default:
      return undefined;
  }
}

async function describeName(
  args: string,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const reference = parseModelReference(args);
  const installed =
    reference === undefined ? undefined : await facts.installedModel(shortModelName(reference.name), signal);
  return installed === undefined
    ? undefined
    : join([installed.architecture, installed.parameterSize, installed.quantisation, context(installed.contextLength)]);
}
