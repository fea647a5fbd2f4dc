/** What people train, merge and convert with, as PyPI names it (PEP 503), in the order in which it is shown. */
export const PYTHON_PACKAGES = [
  'mlx-lm',
  'mlx',
  'peft',
  'transformers',
  'torch',
  'unsloth',
  'axolotl',
  'gguf',
] as const;
export type PythonPackage = (typeof PYTHON_PACKAGES)[number];

/**
 * The package and version that a folder's or file's name in site-packages stands for (`mlx_lm-0.32.0.dist-info`,
 * `torch-2.9.1.egg-info`, `peft-0.13.2-py3.11.egg-info`); undefined for any other name.
 * Form: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
 */
export function installedPackage(name: string): { readonly name: string; readonly version: string } | undefined {
  const [, distribution, version] =
    /^([A-Za-z0-9._]+)-([^-/\\]{1,64})(?:-py[\d.]+)?\.(?:dist-info|egg-info)$/.exec(name) ?? [];
  return distribution === undefined || version === undefined
    ? undefined
    : { name: distribution.toLowerCase().replace(/[._]+/g, '-'), version };
}

/**
 * What torch was built for, by its `version.py`: `CUDA 12.8`, `ROCm 6.4` or `CPU`; undefined where the file does not say.
 * Whether the machine has such a device is another question.
 */
export function torchBackend(versionFile: string): string | undefined {
  const told = (key: string): string | undefined =>
    new RegExp(`^${key}(?:: [^=\\n]{1,80})? = '([\\w.+-]{1,40})'`, 'm').exec(versionFile)?.[1];
  const cuda = told('cuda');
  const hip = told('hip');
  if (cuda !== undefined) {
    return `CUDA ${cuda}`;
  }
  if (hip !== undefined) {
    return `ROCm ${hip}`;
  }
  return /^cuda(?:: [^=\n]{1,80})? = None/m.test(versionFile) ? 'CPU' : undefined;
}
