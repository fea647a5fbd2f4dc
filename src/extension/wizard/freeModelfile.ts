import { lstat } from 'node:fs/promises';

/** `STEM.Modelfile`, or with a number where that exists. */
export async function freeModelfile(stem: string): Promise<string> {
  for (let number = 1; ; number++) {
    const path = `${stem}${number === 1 ? '' : `-${number}`}.Modelfile`;
    if (
      !(await lstat(path).then(
        () => true,
        () => false,
      ))
    ) {
      return path;
    }
  }
}
