import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';
import { CONVERTER_SOURCE, findConverter } from '../../scripts/install/installConverter.mjs';
import { ROOT } from './cli';

export type ConverterJob =
  | {
      readonly do: 'convert';
      readonly model: string;
      readonly outtype: string;
      readonly out: string;
      readonly pre?: string | undefined;
      readonly options?: readonly string[] | undefined;
      readonly patches?: readonly string[] | undefined;
    }
  | {
      readonly do: 'merge';
      readonly model: string;
      readonly adapter: string;
      readonly merged: string;
      readonly config: Readonly<Record<string, unknown>>;
      readonly resize?: number | undefined;
    };

export interface ConverterAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly said?: string;
}

/** llama.cpp's converter and PEFT, or a test that is skipped with the reason. */
export function converterOrSkip(context: TestContext): string {
  const python = findConverter();
  if (python === undefined) {
    console.log(
      `skipped: ${context.task.name} (llama.cpp's converter is not installed: node scripts/install/installConverter.mjs)`,
    );
    context.skip();
  }
  return python;
}

/** Runs jobs in one process; their answers in order. */
export async function runConverter(
  python: string,
  folder: string,
  jobs: readonly ConverterJob[],
): Promise<ConverterAnswer[]> {
  const list = join(folder, 'jobs.json');
  writeFileSync(list, JSON.stringify(jobs));
  const { stdout } = await promisify(execFile)(
    python,
    [join(ROOT, 'test/real/converter/driver.py'), CONVERTER_SOURCE, list],
    { maxBuffer: 1 << 26, timeout: 1_200_000 },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ConverterAnswer);
}
