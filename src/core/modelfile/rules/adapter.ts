import { edit, fix } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import { behaviour } from '../../ollama/ollamaBehaviours';
import { judgedFor, lastBefore } from '../../ollama/ollamaProfile';
import { buildFix } from '../buildFix';
import { isName, pathLines, type BaseModel } from '../modelFacts';
import { badPattern } from './fromPattern';
import type { AdapterFolderFacts, GgufFacts, PathFacts, WorkspaceFacts } from '../workspaceFacts';

/** What ADAPTER and DRAFT lead to, and whether an adapter fits the base of this file. */
export async function adapterRules(
  context: LintContext,
  base: BaseModel,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const entry of context.all('draft')) {
    for (const { path } of await pathLines(context, entry, facts, signal)) {
      draft(context, entry, path, base);
    }
  }
  // Only the last adapter counts.
  for (const entry of context.all('adapter').slice(-1)) {
    const path = await facts.path(entry.command.args, signal);
    await adapter(context, entry, path, base, facts, signal);
  }
}

function missing(context: LintContext, entry: Entry): void {
  const path = entry.command.args;
  context.report('modelfile/adapter-missing', entry.value.span, {
    path,
    error: `stat ${path}: no such file or directory`,
  });
}

function draft(context: LintContext, entry: Entry, path: PathFacts, base: BaseModel): void {
  const plain = (text: string): string => text.replace(/^\.[\\/]/, '').replace(/[\\/]$/, '');
  if (path.kind === 'absent') {
    missing(context, entry);
  } else if (path.kind === 'bad-pattern') {
    badPattern(context, entry, path.inFolder);
  } else if (
    base.lines.some(
      (line) =>
        !isName(line.entry.command.args, line.path) && plain(line.entry.command.args) === plain(entry.command.args),
    )
  ) {
    context.report('modelfile/draft-same-as-from', entry.value.span);
  } else if (path.kind === 'lfs-pointer') {
    context.report('modelfile/from-lfs-pointer', entry.value.span, { path: entry.command.args });
  } else if (path.kind === 'bad-gguf') {
    context.report(path.truncated ? 'modelfile/gguf-truncated' : 'modelfile/gguf-invalid', entry.value.span, {
      path: entry.command.args,
      reason: path.reason,
    });
  } else if (path.kind === 'pickle' || (path.kind === 'model-folder' && path.model.weights === 'pytorch')) {
    context.report('modelfile/from-pickle', entry.value.span, { path: entry.command.args });
  } else if (path.kind === 'other-file') {
    context.report('modelfile/gguf-invalid', entry.value.span, {
      path: entry.command.args,
      reason: NOT_ADAPTER[path.kind] ?? '',
    });
  } else if (path.kind === 'safetensors-file' || path.kind === 'adapter-folder' || path.kind === 'broken-adapter') {
    context.report('modelfile/draft-not-model', entry.value.span, { path: entry.command.args });
  } else if (path.kind === 'model-folder' && (path.model.weights === 'none' || path.model.weights === 'other')) {
    context.report('modelfile/from-no-weights', entry.value.span, { path: entry.command.args });
  }
}

async function adapter(
  context: LintContext,
  entry: Entry,
  path: PathFacts,
  base: BaseModel,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { span } = entry.value;
  const shown = entry.command.args;
  switch (path.kind) {
    case 'absent':
      missing(context, entry);
      return;
    case 'unknown':
      if (path.remote) {
        context.report('modelfile/file-is-remote', span, { path: shown });
      }
      return;
    case 'gguf':
      ggufAdapter(context, entry, path.gguf, base);
      if (path.gguf.role !== 'adapter') {
        return;
      }
      break;
    case 'adapter-folder':
      folderAdapter(context, entry, path.adapter, base);
      break;
    case 'broken-adapter':
      context.report('modelfile/adapter-refused', span, { path: shown, reason: path.reason });
      return;
    case 'lfs-pointer':
      context.report('modelfile/from-lfs-pointer', span, { path: shown });
      return;
    case 'bad-gguf':
      context.report(path.truncated ? 'modelfile/gguf-truncated' : 'modelfile/gguf-invalid', span, {
        path: shown,
        reason: path.reason,
      });
      return;
    default:
      notAdapter(context, entry, path);
      return;
  }
  const line = base.fileLine;
  if (line !== undefined) {
    for (const reason of await facts.adapterMisfits(shown, line.entry.command.args, signal)) {
      context.report('modelfile/adapter-base-mismatch', span, { reason });
    }
  }
}

const CONVERT = 'Convert the adapter of its folder with modelfile-studio convert-adapter.';

const NOT_ADAPTER: Partial<Record<PathFacts['kind'], string>> = {
  'safetensors-file': `it is one safetensors file, and Ollama wants an adapter in GGUF form. ${CONVERT}`,
  'model-folder': 'it is a folder without adapter weights.',
  pickle: 'it is a Python pickle, which is never loaded. Save the adapter as safetensors.',
  'other-file': 'it does not begin as a GGUF does.',
};

function notAdapter(context: LintContext, entry: Entry, path: PathFacts): void {
  context.report('modelfile/adapter-not-adapter', entry.value.span, {
    path: entry.command.args,
    reason: NOT_ADAPTER[path.kind] ?? '',
  });
}

function ggufAdapter(context: LintContext, entry: Entry, gguf: GgufFacts, base: BaseModel): void {
  const { span } = entry.value;
  if (gguf.role !== 'adapter') {
    const reason = gguf.role === 'model' ? 'it is a whole model. Name it in FROM.' : 'its general.type is not adapter.';
    const fixes = gguf.role === 'model' ? [fix('Write FROM', false, edit(entry.instruction.keywordSpan, 'FROM'))] : [];
    context.report('modelfile/adapter-not-adapter', span, { path: entry.command.args, reason }, { fixes });
    return;
  }
  const { ggufArchitecture } = base;
  if (ggufArchitecture !== undefined && gguf.architecture !== '' && ggufArchitecture !== gguf.architecture) {
    const reason = `it was made for a ${gguf.architecture} model, and FROM is a ${ggufArchitecture} one.`;
    context.report('modelfile/adapter-base-mismatch', span, { reason });
  }
}

/**
 * ADAPTER at all: refused by later versions of Ollama, and without a future in those that take it. `create` of ours fuses it on every
 * version, so this is never an error.
 */
export function adapterSupport(context: LintContext): void {
  const { gone = '' } = behaviour('adapterLayers');
  const { profile } = context;
  for (const entry of context.all('adapter')) {
    const values = { gone, last: lastBefore(gone) ?? gone, version: profile.version, judged: judgedFor(profile) };
    const code = profile.does('adapterLayers') ? 'modelfile/adapter-ending' : 'modelfile/adapter-gone';
    context.report(code, entry.instruction.span, values, { fixes: [buildFix(context)] });
  }
}

/** Names of `general.architecture` whose safetensors adapters Ollama converts. */
const CONVERTED_ADAPTER_BASES: ReadonlySet<string> = new Set([
  'llama',
  'gemma2',
  'LlamaForCausalLM',
  'Gemma2ForCausalLM',
]);

function folderAdapter(context: LintContext, entry: Entry, adapter: AdapterFolderFacts, base: BaseModel): void {
  const { span } = entry.value;
  for (const reason of adapter.refusals) {
    context.report('modelfile/adapter-refused', span, { path: entry.command.args, reason });
  }
  baseName(context, entry, adapter, base);
  // What Ollama's own converter would do to the folder matters only where it comes to it.
  if (!context.profile.does('adapterLayers')) {
    return;
  }
  const fixes = [buildFix(context)];
  if (!context.profile.does('adapterFolders') && !/^model.*\.safetensors$/s.test(adapter.weightsFile)) {
    context.report('modelfile/adapter-directory', span, {}, { fixes });
  }
  if (adapter.method === 'full' || adapter.method === 'dora') {
    context.report(adapter.method === 'full' ? 'modelfile/adapter-full' : 'modelfile/adapter-dora', span);
  }
  const { architecture } = base;
  if (architecture !== undefined && !CONVERTED_ADAPTER_BASES.has(architecture)) {
    context.report('modelfile/adapter-architecture', span, { architecture });
  }
  scaleLost(context, entry, adapter);
  const isLlama = architecture === 'llama' || architecture === 'LlamaForCausalLM';
  if (isLlama && adapter.method !== 'full' && adapter.targets.some((name) => name === 'q_proj' || name === 'k_proj')) {
    context.report('modelfile/adapter-attention-scrambled', span);
  }
}

function scaleLost(
  context: LintContext,
  entry: Entry,
  { format, method, scale, rank, alpha }: AdapterFolderFacts,
): void {
  if (scale === undefined || method === 'full' || method === 'dora') {
    return;
  }
  const round = (value: number): string => String(Number(value.toPrecision(3)));
  // Without alpha the converter writes 0, which llama.cpp takes for a scale of 1.
  const effective =
    format === 'mlx' ? 1 : alpha !== undefined && rank !== undefined && rank > 0 ? alpha / rank : undefined;
  const reason = format === 'mlx' ? 'mlx-lm' : method === 'rslora' ? 'rank-stabilised LoRA' : undefined;
  if (reason !== undefined && effective !== undefined && Math.abs(effective - scale) > 1e-6 * Math.abs(scale)) {
    context.report('modelfile/adapter-scale-lost', entry.value.span, {
      scale: round(scale),
      reason,
      effective: round(effective),
    });
  }
}

/** Families and sizes that two names disagree on: `Qwen3-1.7B` against `llama3.2:1b`. */
function baseName(
  context: LintContext,
  entry: Entry,
  { baseName: trained }: AdapterFolderFacts,
  base: BaseModel,
): void {
  const from = base.nameLine?.entry.command.args ?? base.fileLine?.entry.command.args;
  if (trained === undefined || trained === '' || from === undefined) {
    return;
  }
  const family = (text: string): string | undefined =>
    /(llama|qwen|gemma|mistral|mixtral|phi|granite|smollm|falcon|deepseek|olmo|yi|command)/i
      .exec(text)?.[1]
      ?.toLowerCase();
  const size = (text: string): string | undefined => /(?:^|[^0-9a-z.])(\d+(?:\.\d+)?)b(?![a-z0-9])/i.exec(text)?.[1];
  const disagree = (one: string | undefined, other: string | undefined): boolean =>
    one !== undefined && other !== undefined && one !== other;
  if (disagree(family(trained), family(from)) || disagree(size(trained), size(from))) {
    context.report('modelfile/adapter-base-name', entry.value.span, { trained, base: from });
  }
}
