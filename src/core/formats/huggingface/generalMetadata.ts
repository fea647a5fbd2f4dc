import type { Json, JsonObject } from '../../json';
import { f32, type GgufEntry, i32, string, strings, u32 } from '../gguf/ggufValue';
import { type ModelCard, readModelCard } from './modelCard';
import { idToTitle, type NameParts, parseHubModelId } from './modelName';
import { type ParameterCount, sizeLabel } from './sizeLabel';

/** What `general.*` is made from: the folder's name, config.json, generation_config.json and the model card. */
export interface GeneralSource {
  readonly directoryName: string;
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject | undefined;
  readonly readme?: string | undefined;
  readonly parameters: ParameterCount;
  /** Takes the place of every other name (`--name`). */
  readonly modelName?: string | undefined;
}

type TextField =
  | 'name'
  | 'author'
  | 'version'
  | 'organization'
  | 'finetune'
  | 'basename'
  | 'description'
  | 'size_label'
  | 'license'
  | 'license.name'
  | 'license.link'
  | 'source.url'
  | 'source.doi'
  | 'source.uuid'
  | 'source.repo_url';

/** Fields of the card by GGUF key; the first key of the card that is there wins. */
const CARD_FIELDS: readonly (readonly [TextField, readonly string[]])[] = [
  ['name', ['name', 'model_name']],
  ['author', ['author', 'model_author', 'model_creator']],
  ['version', ['version', 'model_version']],
  ['organization', ['organization', 'model_organization']],
  ['description', ['description', 'model_description']],
  ['finetune', ['finetune', 'model_finetune']],
  ['basename', ['basename', 'model_basename', 'model_type']],
  ['size_label', ['size_label', 'model_size_label']],
  ['source.url', ['url', 'model_url']],
  ['source.doi', ['doi', 'model_doi']],
  ['source.uuid', ['uuid', 'model_uuid']],
  ['source.repo_url', ['repo_url', 'model_repo_url']],
  ['license', ['license']],
  ['license.name', ['license_name']],
  ['license.link', ['license_link']],
];

/** The order in which the converter writes them, `size_label` being filled in by the parameter count. */
const WRITTEN: readonly TextField[] = [
  'name',
  'author',
  'version',
  'organization',
  'finetune',
  'basename',
  'description',
  'size_label',
  'license',
  'license.name',
  'license.link',
  'source.url',
  'source.doi',
  'source.uuid',
  'source.repo_url',
];

/**
 * The `general.*` entries after `general.architecture` and `general.type`: sampling defaults, then name, licence, base models,
 * datasets, tags and languages, as gguf-py's `metadata.py` finds them. `url`, `doi` and the like of the GGUF itself are never set.
 */
export function generalMetadata(source: GeneralSource): GgufEntry[] {
  const card = readModelCard(source.readme ?? '');
  const fields = textFields(source, card);
  return [
    ...sampling(source.generationConfig ?? {}),
    ...WRITTEN.flatMap((field): GgufEntry[] => {
      const value = fields.get(field);
      return value === undefined || value === '' ? [] : [[`general.${field}`, string(value)]];
    }),
    ...related('base_model', card, ['base_model', 'base_models', 'base_model_sources'], source.parameters.total),
    ...related('dataset', card, ['datasets', 'dataset', 'dataset_sources'], source.parameters.total),
    ...list('general.tags', card, ['tags', 'pipeline_tag']),
    ...list('general.languages', card, ['languages', 'language']),
  ];
}

function textFields(source: GeneralSource, card: ModelCard): Map<TextField, string> {
  const fields = new Map<TextField, string>();
  const fill = (field: TextField, value: string | undefined): void => {
    if (value !== undefined && !fields.has(field)) {
      fields.set(field, value);
    }
  };
  for (const [field, keys] of CARD_FIELDS) {
    keys.forEach((key) => fill(field, cardText(card, key)));
  }
  for (const id of [repositoryName(source.config['_name_or_path']), source.directoryName]) {
    if (id !== undefined) {
      fillFromName(parseHubModelId(id, source.parameters.total), fill);
    }
  }
  if (source.modelName !== undefined) {
    fields.set('name', source.modelName);
  }
  fill('name', source.directoryName);
  fill('size_label', source.parameters.total > 0 ? sizeLabel(source.parameters) : undefined);
  return fields;
}

function cardText(card: ModelCard, key: string): string | undefined {
  const value = card.get(key);
  return typeof value === 'string' || value === undefined ? value : key === 'license' ? value.join(',') : undefined;
}

/** `_name_or_path` counts only while it looks like a repository and not like a path of the machine it was trained on. */
function repositoryName(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value.split('/').length <= 2 ? value : undefined;
}

function fillFromName(parts: NameParts, fill: (field: TextField, value: string | undefined) => void): void {
  fill('name', parts.full === undefined ? undefined : idToTitle(parts.full));
  fill('organization', parts.organization === undefined ? undefined : idToTitle(parts.organization));
  fill('basename', parts.basename);
  fill('finetune', parts.finetune);
  fill('version', parts.version);
  fill('size_label', parts.sizeLabel);
}

const SAMPLING: readonly (readonly [key: string, kind: 'i32' | 'f32', sources: readonly string[]])[] = [
  ['top_k', 'i32', ['top_k']],
  ['top_p', 'f32', ['top_p']],
  ['min_p', 'f32', ['min_p']],
  ['xtc_probability', 'f32', ['xtc_probability']],
  ['xtc_threshold', 'f32', ['xtc_threshold']],
  ['temp', 'f32', ['temperature']],
  ['penalty_last_n', 'i32', ['penalty_last_n']],
  ['penalty_repeat', 'f32', ['penalty_repeat', 'repetition_penalty']],
  ['mirostat', 'i32', ['mirostat']],
  ['mirostat_tau', 'f32', ['mirostat_tau']],
  ['mirostat_eta', 'f32', ['mirostat_eta']],
];

function sampling(config: JsonObject): GgufEntry[] {
  const sequence = config['sequence'];
  const entries: GgufEntry[] =
    typeof sequence === 'string' && sequence !== '' ? [['general.sampling.sequence', string(sequence)]] : [];
  for (const [key, kind, sources] of SAMPLING) {
    const value = config[sources.find((name) => name in config) ?? ''];
    if (typeof value === 'number' && (kind === 'f32' || (Number.isInteger(value) && Math.abs(value) < 2 ** 31))) {
      entries.push([`general.sampling.${key}`, kind === 'f32' ? f32(value) : i32(value)]);
    }
  }
  return entries;
}

/** `general.base_model.*` and `general.dataset.*`: a count, and what each id or address says of itself. */
function related(
  kind: 'base_model' | 'dataset',
  card: ModelCard,
  keys: readonly string[],
  parameters: number,
): GgufEntry[] {
  const value = card.get(keys.find((key) => card.has(key)) ?? '');
  if (value === undefined) {
    return [];
  }
  const ids = typeof value === 'string' ? [value] : value;
  return [
    [`general.${kind}.count`, u32(ids.length)],
    ...ids.flatMap((id, index) => relatedEntry(`general.${kind}.${index}`, id, parameters)),
  ];
}

function relatedEntry(prefix: string, id: string, parameters: number): GgufEntry[] {
  const isUrl = /^(?:https?|ssh):\/\//.test(id);
  const repository = isUrl ? /^https?:\/\/huggingface.co\/([^/]+\/[^/]+)$/.exec(id)?.[1] : id;
  const parts = repository === undefined ? {} : parseHubModelId(repository, parameters);
  const url = isUrl
    ? id
    : parts.organization !== undefined && parts.full !== undefined
      ? `https://huggingface.co/${parts.organization}/${parts.full}`
      : undefined;
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['name', parts.full === undefined ? undefined : idToTitle(parts.full)],
    ['version', parts.version],
    ['organization', parts.organization === undefined ? undefined : idToTitle(parts.organization)],
    ['repo_url', url],
  ];
  return fields.flatMap(([key, text]): GgufEntry[] =>
    text === undefined || text === '' ? [] : [[`${prefix}.${key}`, string(text)]],
  );
}

function list(key: string, card: ModelCard, sources: readonly string[]): GgufEntry[] {
  const values = sources.flatMap((source) => card.get(source) ?? []);
  return values.length === 0 ? [] : [[key, strings(values)]];
}
