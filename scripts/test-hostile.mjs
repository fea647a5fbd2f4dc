// Mutates files of every format that is read, and prints the seed. `npm run test:hostile -- [--count N] [--seed N]`
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { count: { type: 'string', default: '10000' }, seed: { type: 'string' } } });
for (const [name, value] of Object.entries(values)) {
  if (!/^[1-9]\d{0,9}$/.test(value)) {
    console.error(`--${name} takes a whole number, and ${value} is none.`);
    process.exit(2);
  }
}
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', 'test/hostile/property.test.ts', '--testTimeout=86400000'],
  {
    stdio: 'inherit',
    env: { ...process.env, MUTATIONS: values.count, ...(values.seed === undefined ? {} : { FC_SEED: values.seed }) },
  },
);
process.exit(status ?? 1);
