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

/**
 * Asks the parsers of several versions of Ollama about every case. The first line of the file names the versions; then
 * a line of JSON for each case: `{source, answer}`, and under `others` what other versions say that say something else.
 * @param versions the first is the one of `answer`
 */
export async function recordModelfiles(output: string, versions: readonly [string, ...string[]]): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfiles-')));
  writeFilesForModelfiles(folder);
  const oracles = await Promise.all(versions.map((version) => GoOracle.start(version)));
  const lines: string[] = [JSON.stringify({ versions })];
  let different = 0;
  for (const source of [...edgeCases(), ...generated()]) {
    const base64 = Buffer.from(source).toString('base64');
    // The answers stay text, so that numbers keep the spelling that Go gave them.
    const [answer, ...more] = await Promise.all(
      oracles.map(async (oracle) =>
        (await oracle.askRaw({ op: 'parse', base64, dir: folder })).replaceAll(folder, PLACEHOLDER),
      ),
    );
    const others = more.flatMap((other, index) => (other === answer ? [] : [[versions[index + 1], other]]));
    different += others.length > 0 ? 1 : 0;
    lines.push(
      JSON.stringify({
        source: base64,
        answer,
        ...(others.length > 0 ? { others: Object.fromEntries(others) as unknown } : {}),
      }),
    );
  }
  oracles.forEach((oracle) => oracle.stop());
  rmSync(folder, { recursive: true });
  writeFileSync(output, `${lines.join('\n')}\n`);
  console.log(
    `${lines.length - 1} Modelfiles recorded in ${output}, as ${versions.join(' and ')} read them; ${different} of them differently`,
  );
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
