import type { Artefact, ArtefactOrigin } from './artefact';
import type { ArtefactFiles } from './artefactFiles';
import type { BuildRecord } from './buildRecordFacts';
import type { Finding } from './finding';

/** Adds what the build records beside GGUFs tell, held against the inputs as they are now; `artefacts` are those of `findings`. */
export async function addOrigins(
  files: ArtefactFiles,
  findings: readonly Finding[],
  artefacts: readonly Artefact[],
): Promise<Artefact[]> {
  const byIdentity = new Map(
    findings.flatMap(({ identity, artefact }) => (identity === undefined ? [] : [[identity, artefact.path] as const])),
  );
  return await Promise.all(
    artefacts.map(async (artefact, index) => {
      const record = findings[index]?.record;
      if (record === undefined) {
        return artefact;
      }
      const path = byIdentity.get((await files.stat(record.base))?.identity ?? '');
      return {
        ...artefact,
        base: { name: record.base, path, candidates: path === undefined ? [] : [path] },
        builtFrom: await originOf(files, record),
      };
    }),
  );
}

/** Size and time tell whether an input is still what was read; it is not read again. */
async function originOf(files: ArtefactFiles, record: BuildRecord): Promise<ArtefactOrigin> {
  const changed: string[] = [];
  for (const input of record.inputs) {
    const now = await files.stat(input.path);
    if (now?.bytes !== input.size || Math.floor(now.modified) !== input.modified) {
      changed.push(input.path);
    }
  }
  return { base: record.base, adapters: record.adapters, type: record.type, stale: changed.length > 0, changed };
}
