import { behaviour } from '../../ollama/ollamaBehaviours';
import { judgedFor } from '../../ollama/ollamaProfile';
import { buildFix } from '../buildFix';
import type { LintContext } from '../lintContext';
import type { Span } from '../modelfileTypes';
import type { ModelFolderFacts } from '../workspaceFacts';

/** What Ollama makes of a folder with safetensors: converts it, imports it by MLX, or refuses it. */
export function convertible(context: LintContext, span: Span, path: string, model: ModelFolderFacts): void {
  if (!model.hasConfig) {
    context.report('modelfile/from-no-config', span, { path });
  } else if (model.architecture === undefined) {
    context.report('modelfile/from-no-architecture', span, { path });
  } else if (context.profile.does('importsByMlx')) {
    imported(context, span, path, model, model.architecture);
  } else if (!context.profile.has('convertedClass', model.architecture)) {
    unsupported(context, span, path, model, 'unsupported architecture');
  } else if (model.quantisation !== undefined) {
    quantised(context, span, path, model, model.quantisation);
  }
}

/** Since MLX takes the folders, most machines take none. */
function imported(context: LintContext, span: Span, path: string, model: ModelFolderFacts, architecture: string): void {
  if (!context.profile.has('mlxClass', architecture)) {
    unsupported(context, span, path, model, 'unsupported MLX architecture');
  } else if (model.quantisation !== undefined && model.quantisation !== 'mlx') {
    quantised(context, span, path, model, model.quantisation);
  } else {
    const fixes = model.ggufArchitecture === undefined ? [] : [buildFix(context)];
    context.report(
      'modelfile/from-needs-mlx',
      span,
      {
        architecture,
        since: behaviour('importsByMlx').since,
        route: routeFor(context, path, model),
        judged: judgedFor(context.profile),
      },
      { fixes },
    );
  }
}

function unsupported(context: LintContext, span: Span, path: string, model: ModelFolderFacts, says: string): void {
  context.report(
    'modelfile/from-unsupported-architecture',
    span,
    {
      architecture: model.architecture,
      says,
      route: routeFor(context, path, model),
      judged: judgedFor(context.profile),
    },
    { fixes: model.ggufArchitecture === undefined ? [] : [buildFix(context)] },
  );
}

function quantised(context: LintContext, span: Span, path: string, model: ModelFolderFacts, how: string): void {
  const isOurs = how === 'mlx' && model.ggufArchitecture !== undefined;
  const route = isOurs ? buildRoute(context, path) : 'take the 16-bit model that it was made from';
  context.report(
    'modelfile/from-quantised-folder',
    span,
    { path, how, route },
    { fixes: isOurs ? [buildFix(context)] : [] },
  );
}

/** One pass of ours where we know the architecture, else llama.cpp's converter. */
function routeFor(context: LintContext, path: string, { ggufArchitecture }: ModelFolderFacts): string {
  const converter = `llama.cpp’s convert_hf_to_gguf.py ${shellWord(path)} --outfile model-f16.gguf, then modelfile-studio quantize model-f16.gguf model.gguf Q4_K_M`;
  return ggufArchitecture === undefined ? converter : buildRoute(context, path);
}

/** The command that makes a GGUF of the base, and of the adapter that the file names. */
export function buildRoute(context: LintContext, path: string): string {
  const adapter = context.last('adapter')?.command.args ?? '';
  const more = adapter === '' ? '' : ` --adapter ${shellWord(adapter)}`;
  return `modelfile-studio build --base ${shellWord(path)}${more} --type Q4_K_M --out model.gguf`;
}

const shellWord = (text: string): string => (/^[\w./@:+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
