import { describeAdapterPlan } from '../../core/engine/describeAdapterPlan';
import { ADAPTER_TYPES, type AdapterType } from '../../core/engine/planAdapterGguf';
import { formatBytes } from '../../core/formatBytes';
import { convertAdapter as write, prepareConvertAdapter, type PreparedAdapter } from '../../node/engine/convertAdapter';
import type { Command } from '../command';
import { follow } from '../follow';
import { adapterRequest, flag, required, text, usageError } from '../options';

/** `--type` of an adapter; F16 unless given. */
export function adapterType(value: string | undefined): AdapterType {
  const found = value === undefined ? 'F16' : ADAPTER_TYPES.find((type) => type === value.trim().toUpperCase());
  if (found === undefined) {
    throw usageError(`--type ${value ?? ''}: an adapter is written as ${ADAPTER_TYPES.join(', ')}.`);
  }
  return found;
}

export const convertAdapter: Command = {
  name: 'convert-adapter',
  usage: '--adapter DIR[=W] --base DIR|BASE.gguf [--type F16|F32|BF16|Q8_0] --out F.gguf [--dry-run] [--force]',
  does: 'a GGUF adapter with the right scale, as llama.cpp and Ollama apply it',
  options: {
    adapter: { type: 'string' },
    base: { type: 'string' },
    type: { type: 'string' },
    out: { type: 'string' },
    force: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(
        `convert-adapter takes no ${positionals[0] ?? ''}: name the adapter with --adapter, its base with --base and the result with --out.`,
      );
    }
    const plan = await prepareConvertAdapter({
      adapter: adapterRequest(required(options, 'adapter', 'outputs/checkpoint-500')),
      base: required(options, 'base', 'models/Qwen3-0.6B'),
      type: adapterType(text(options, 'type')),
      output: required(options, 'out', 'adapter.gguf'),
      signal: context.signal,
    });
    if (flag(options, 'dry-run')) {
      return {
        exitCode: 0,
        json: { ...planJson(plan), text: describeAdapterPlan(plan) },
        text: describeAdapterPlan(plan, context.palette),
      };
    }
    context.say(describeAdapterPlan(plan, context.palette));
    const report = await follow(write(plan, { force: flag(options, 'force'), signal: context.signal }), context);
    const warnings = [...plan.warnings.map(({ code, message }) => ({ code, message })), ...report.warnings];
    const late = report.warnings.map((warning) => `\n${context.palette.warning('!')} ${warning.message}`).join('');
    return {
      exitCode: 0,
      json: {
        ok: true,
        output: report.output,
        bytes: report.bytes,
        tensors: report.tensors,
        seconds: Number(report.seconds.toFixed(3)),
        type: plan.type,
        architecture: plan.target.architecture.name,
        alpha: report.alpha,
        folded: plan.scales.folded,
        modules: plan.scales.modules.map(({ module, rank, scale, factor }) => ({ module, rank, scale, factor })),
        adapters: [{ path: plan.adapter.path, weightsFile: plan.adapter.weightsFile, weight: plan.weight }],
        warnings,
      },
      text: `${context.palette.good('Done')}      ${report.output} · ${formatBytes(report.bytes)} · ${report.tensors} tensors · ${report.seconds.toFixed(1)} s${late}`,
    };
  },
};

/** The plan for scripts: what every tensor is made of. */
function planJson(plan: PreparedAdapter): Record<string, unknown> {
  const {
    output,
    type,
    target,
    scales,
    metadata,
    tensors,
    bytesRead,
    bytesWritten,
    checks,
    warnings,
    adapter,
    weight,
  } = plan;
  return {
    ok: true,
    output,
    type,
    architecture: target.architecture.name,
    alpha: scales.alpha,
    folded: scales.folded,
    modules: scales.modules,
    adapters: [{ path: adapter.path, weightsFile: adapter.weightsFile, weight }],
    bytesRead,
    bytesWritten,
    metadata: metadata.map(([key, { type: kind, value }]) => ({ key, type: kind, value })),
    tensors: tensors.map(({ name, shape, type: stored, offset, bytes }) => ({
      name,
      shape,
      type: stored,
      offset,
      bytes,
    })),
    checks,
    warnings,
  };
}
