import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { edgeCases } from '../../test/modelfile/edgeCases';
import { GoOracle } from '../../test/support/goOracle';
import { writeFilesForModelfiles } from '../../test/support/modelfileFolder';
import { encode, mutate, randomModelfile } from '../../test/support/modelfileGenerator';
import { Random } from '../../test/support/random';

const GENERATED = 700;
/** Stands for the folder of the Modelfiles in the recorded answers. */
const PLACEHOLDER = '/FOLDER';

/** Asks Ollama's own parser about every case and writes one line of JSON for each: `{source, answer}`. */
export async function recordModelfiles(output: string): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfiles-')));
  writeFilesForModelfiles(folder);
  const oracle = await GoOracle.start();
  const lines: string[] = [];
  for (const source of [...edgeCases(), ...generated()]) {
    const base64 = Buffer.from(source).toString('base64');
    const raw = await oracle.askRaw({ op: 'parse', base64, dir: folder });
    // The answer stays text, so that numbers keep the spelling that Go gave them.
    lines.push(JSON.stringify({ source: base64, answer: raw.replaceAll(folder, PLACEHOLDER) }));
  }
  oracle.stop();
  rmSync(folder, { recursive: true });
  writeFileSync(output, `${lines.join('\n')}\n`);
  console.log(`${lines.length} Modelfiles recorded in ${output}`);
}

function generated(): Uint8Array[] {
  return Array.from({ length: GENERATED }, (_, i) => {
    const random = new Random(i);
    const plain = randomModelfile(random);
    const text = random.chance(0.4) ? mutate(random, plain) : plain;
    return random.chance(0.3) ? encode(random, text) : new TextEncoder().encode(text);
    // Home folders, and what a leading backslash is relative to, are different on every machine.
  }).filter((bytes) => !bytes.includes(0x7e) && !bytes.includes(0x5c));
}
