import { readFileSync } from 'node:fs';

/** A Modelfile that several versions of Ollama judged; see scripts/record/recordModelfiles.ts. */
export interface RecordedModelfile {
  /** The Modelfile's bytes. */
  readonly source: Buffer;
  /** By version: the answer of its parser as the Go program printed it, the folder replaced by /FOLDER. */
  readonly answers: ReadonlyMap<string, string>;
}

export interface RecordedModelfiles {
  readonly versions: readonly string[];
  readonly cases: readonly RecordedModelfile[];
}

/** What test/conformance/modelfiles.jsonl holds. */
export function recordedModelfiles(): RecordedModelfiles {
  const [head = '', ...lines] = readFileSync(new URL('../conformance/modelfiles.jsonl', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  const { versions } = JSON.parse(head) as { readonly versions: readonly string[] };
  const cases = lines.map((line) => {
    const {
      source,
      answer,
      others = {},
    } = JSON.parse(line) as {
      readonly source: string;
      readonly answer: string;
      readonly others?: Readonly<Record<string, string>>;
    };
    return {
      source: Buffer.from(source, 'base64'),
      answers: new Map(versions.map((version) => [version, others[version] ?? answer])),
    };
  });
  return { versions, cases };
}
