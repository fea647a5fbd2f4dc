import type { DiagnosticCode } from '../../src/core/modelfile/diagnosticCodes';
import { OLLAMA_BEHAVIOURS } from '../../src/core/ollama/ollamaBehaviours';
import { availabilityText } from '../../src/core/ollama/ollamaProfile';
import { ollamaNames, type Availability, type OllamaNameKind } from '../../src/core/ollama/ollamaTable';

const { adapterFolders, adapterLayers, convertsSafetensors, fromGlobs, importsByMlx, typicalP } = OLLAMA_BEHAVIOURS;

const instruction = (name: string): Availability => ollamaNames('instruction').get(name) ?? {};
/** From the release on that took something away. */
const sinceGone = ({ gone }: { readonly gone: string }): Availability => ({ since: gone });
/** Between the two: only where Ollama takes adapters, and does this to them. */
const withAdapters: Availability = { gone: adapterLayers.gone };

/** The releases of Ollama about which a finding says something, where these are not all. */
export const FINDING_VERSIONS: Readonly<Partial<Record<DiagnosticCode, Availability>>> = {
  'modelfile/requires-version': instruction('REQUIRES'),
  'modelfile/requires-too-low': instruction('REQUIRES'),
  'modelfile/gone-parameter': sinceGone(typicalP),
  'modelfile/from-pattern': { since: fromGlobs.since },
  'modelfile/from-needs-mlx': { since: importsByMlx.since },
  'modelfile/draft-parameter-without-draft': instruction('DRAFT'),
  'modelfile/template-dead': instruction('RENDERER'),
  'modelfile/unknown-renderer': instruction('RENDERER'),
  'modelfile/unknown-parser': instruction('PARSER'),
  'modelfile/adapter-gone': sinceGone(adapterLayers),
  'modelfile/adapter-ending': withAdapters,
  'modelfile/adapter-directory': { since: adapterFolders.gone, gone: adapterLayers.gone },
  'modelfile/adapter-architecture': withAdapters,
  'modelfile/adapter-scale-lost': withAdapters,
  'modelfile/adapter-attention-scrambled': withAdapters,
  'modelfile/adapter-dora': withAdapters,
  'modelfile/adapter-full': withAdapters,
};

const KINDS: Readonly<Partial<Record<OllamaNameKind, string>>> = {
  instruction: 'Instructions',
  parameter: 'Parameters',
  templateFunction: 'Functions of templates',
  templateField: 'Fields of templates',
  renderer: 'Renderers',
  parser: 'Parsers',
  convertedClass: `Classes that folders were converted of (${availabilityText(convertsSafetensors) ?? ''})`,
  mlxClass: `Classes that MLX imports (${availabilityText(importsByMlx) ?? ''})`,
};

/** Since when and until when, as two tables: what Ollama does, and what it knows by name. */
export function versionTables(): string {
  const row = (what: string, { since = '', gone = '' }: Availability): string => `| ${what} | ${since} | ${gone} |`;
  const behaviours = Object.values<{ readonly what: string } & Availability>(OLLAMA_BEHAVIOURS).map((one) =>
    row(`Ollama ${one.what}`, one),
  );
  const names = (Object.keys(KINDS) as OllamaNameKind[]).flatMap((kind) => {
    // Names with the same releases share a line.
    const groups = new Map<string, string[]>();
    for (const [name, { since = '', gone = '' }] of ollamaNames(kind)) {
      const own = kind === 'parameter' && name === 'typical_p' ? typicalP.gone : gone;
      const key = `${since} | ${own}`;
      groups.set(key, [...(groups.get(key) ?? []), `\`${name}\``]);
    }
    return [...groups].map(([versions, all]) => `| ${KINDS[kind] ?? ''} | ${all.join(' ')} | ${versions} |`);
  });
  return [
    '| what | since | gone in |',
    '|---|---|---|',
    ...behaviours,
    '',
    '| kind | names | since | gone in |',
    '|---|---|---|---|',
    ...names,
  ].join('\n');
}
