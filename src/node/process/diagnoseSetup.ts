import { access, constants } from 'node:fs/promises';
import { availableParallelism, freemem, platform, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { toStudioError } from '../../core/errors';
import { ENGINE_VERSION } from '../../core/engineVersion';
import { Kernels } from '../../core/engine/kernels/kernels';
import { formatBytes } from '../../core/formatBytes';
import { resolveOllamaAddress } from '../../core/ollama/ollamaAddress';
import { freeBytes } from '../files/freeSpace';
import { OllamaClient } from '../ollama/ollamaClient';
import { ollamaState } from '../ollama/ollamaState';

/** One thing that was looked at. `note`: works, but differently than most. */
export interface SetupCheck {
  readonly name: string;
  readonly status: 'ok' | 'note' | 'problem';
  readonly text: string;
  /** What to do about it. */
  readonly next?: string | undefined;
}

/** Less free memory than a build of a small model takes. */
const LITTLE_MEMORY = 512 * 1024 * 1024;

/** Less free space than the smallest useful model takes. */
const LITTLE_SPACE = 1_000_000_000;

/**
 * Looks at what a build needs of this machine; every check is answered, none throws. Nothing personal is in the answers but
 * the paths that were given.
 * @param folders where results would be written
 */
export async function diagnoseSetup(
  folders: readonly string[],
  bundleFolder: string,
  signal?: AbortSignal,
): Promise<SetupCheck[]> {
  return await Promise.all([
    Promise.resolve<SetupCheck>({
      name: 'Version',
      status: 'ok',
      text: `Modelfile Studio ${ENGINE_VERSION} · Node ${process.versions.node} · ${platform()} ${release()} ${process.arch}`,
    }),
    Promise.resolve(memory()),
    kernels(bundleFolder),
    ...folders.map(space),
    ollama(signal),
  ]);
}

function memory(): SetupCheck {
  const free = freemem();
  const text = `${formatBytes(free)} free of ${formatBytes(totalmem())} · ${availableParallelism()} cores`;
  return free < LITTLE_MEMORY
    ? {
        name: 'Memory',
        status: 'problem',
        text,
        next: 'A build takes 120 to 400 MB, however large the model is. Close something, or use fewer workers (--workers 1).',
      }
    : { name: 'Memory', status: 'ok', text };
}

async function kernels(bundleFolder: string): Promise<SetupCheck> {
  try {
    await access(join(bundleFolder, 'worker.js'), constants.R_OK);
    const { instructionSet } = await Kernels.instantiate(1024 * 1024);
    return { name: 'Kernels', status: 'ok', text: `${instructionSet}, one for each worker` };
  } catch (thrown) {
    return {
      name: 'Kernels',
      status: 'problem',
      text: toStudioError(thrown).message,
      next: 'Reinstall the extension, or run npm run build where the source is.',
    };
  }
}

async function space(folder: string): Promise<SetupCheck> {
  const name = 'Disk';
  const free = await freeBytes(join(resolve(folder), 'model.gguf'));
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isWritable) {
    return {
      name,
      status: 'problem',
      text: `${folder} cannot be written to`,
      next: 'Write results to another folder (--out), or change the permissions of this one.',
    };
  }
  const text = `${folder}: ${free === undefined ? 'free space not told' : `${formatBytes(free)} free`}`;
  return free !== undefined && free < LITTLE_SPACE
    ? { name, status: 'problem', text, next: 'Free some space: the plan of a build says how much it needs.' }
    : { name, status: 'ok', text };
}

async function ollama(signal: AbortSignal | undefined): Promise<SetupCheck> {
  const name = 'Ollama';
  try {
    const address = resolveOllamaAddress({ environment: process.env['OLLAMA_HOST'] });
    const found = await ollamaState(new OllamaClient(address), { signal });
    switch (found.state) {
      case 'running':
        return {
          name,
          status: found.mayQuantise ? 'ok' : 'note',
          text: `version ${found.version} at ${address.host}${found.isRemote ? ', another machine' : ''}`,
          next: found.mayQuantise
            ? undefined
            : 'Its own quantising is not safe with files from elsewhere; ours is used. Update it: https://ollama.com/download',
        };
      case 'not-installed':
        return {
          name,
          status: 'note',
          text: 'not installed',
          next: 'Builds end with a GGUF and a Modelfile. To run them: https://ollama.com/download',
        };
      case 'not-running':
        return {
          name,
          status: 'note',
          text: `installed, nothing answers at ${address.host}`,
          next: 'Start the application, or ollama serve.',
        };
      case 'unreachable':
        return {
          name,
          status: 'problem',
          text: found.reason,
          next: 'Check OLLAMA_HOST, or the setting modelfileStudio.ollama.host.',
        };
      case 'too-old':
        return {
          name,
          status: 'problem',
          text: `version ${found.version} is too old: ${found.minimum} or later is needed`,
          next: 'Update it: https://ollama.com/download',
        };
    }
  } catch (thrown) {
    const { code, message } = toStudioError(thrown);
    return { name, status: 'problem', text: `${message} (${code})` };
  }
}
