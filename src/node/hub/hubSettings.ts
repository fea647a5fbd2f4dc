import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StudioError } from '../../core/errors';

/** Where huggingface_hub keeps its things on this machine, by its own variables. */
export function hubHome(env: NodeJS.ProcessEnv = process.env): string {
  const { HF_HOME, XDG_CACHE_HOME } = env;
  if (HF_HOME !== undefined && HF_HOME !== '') {
    return HF_HOME;
  }
  return join(
    XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === '' ? join(homedir(), '.cache') : XDG_CACHE_HOME,
    'huggingface',
  );
}

/** The folder of fetched repositories: `models--ORG--NAME` each. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const named = [env['HF_HUB_CACHE'], env['HUGGINGFACE_HUB_CACHE']].find(
    (value) => value !== undefined && value !== '',
  );
  return named ?? join(hubHome(env), 'hub');
}

/** The folder of one repository in the cache. */
export function hubRepositoryFolder(repository: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(hubCacheFolder(env), `models--${repository.replaceAll('/', '--')}`);
}

/**
 * `https://huggingface.co`, or the mirror that `HF_ENDPOINT` names.
 * @throws StudioError hub/address
 */
export function hubAddress(env: NodeJS.ProcessEnv = process.env): string {
  const text = env['HF_ENDPOINT']?.trim() ?? '';
  if (text === '') {
    return 'https://huggingface.co';
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(url.hostname);
  if (
    url === undefined ||
    url.username !== '' ||
    url.password !== '' ||
    (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
  ) {
    throw new StudioError(
      'hub/address',
      'HF_ENDPOINT is no address of a hub: it must begin with https:// and hold no password. Correct it, or unset it for huggingface.co.',
    );
  }
  return text.replace(/\/+$/, '');
}

/** The user's token, from the environment or from where `hf auth login` left it; undefined where there is none. */
export async function hubToken(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const given = [env['HF_TOKEN'], env['HUGGING_FACE_HUB_TOKEN']].find(
    (value) => value !== undefined && value.trim() !== '',
  );
  const { HF_TOKEN_PATH } = env;
  const path = HF_TOKEN_PATH === undefined || HF_TOKEN_PATH === '' ? join(hubHome(env), 'token') : HF_TOKEN_PATH;
  const token = (given ?? (await readFile(path, 'utf8').catch(() => ''))).trim();
  // The hub's library takes nothing else for a token.
  return /^hf_[A-Za-z0-9_]+$/.test(token) ? token : undefined;
}
