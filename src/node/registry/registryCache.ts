import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ModelName } from '../../core/ollama/modelName';
import { MANIFEST_LIMIT } from '../../core/ollama/registryManifest';

/** A manifest as it was once answered. */
export interface CachedManifest {
  readonly text: string;
  /** Milliseconds. */
  readonly fetchedAt: number;
}

/** Texts of registries on disk: blobs by digest, checked when they are read; the last manifest of each name. Never throws: a cache that fails is none. */
export class RegistryCache {
  constructor(private readonly folder: string) {}

  async blob(digest: string): Promise<string | undefined> {
    const bytes = await this.read(this.blobPath(digest));
    const isIt = bytes !== undefined && `sha256:${createHash('sha256').update(bytes).digest('hex')}` === digest;
    return isIt ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) : undefined;
  }

  async keepBlob(digest: string, bytes: Uint8Array): Promise<void> {
    await this.write(this.blobPath(digest), bytes);
  }

  async manifest(registry: string, name: ModelName): Promise<CachedManifest | undefined> {
    const path = this.manifestPath(registry, name);
    const bytes = await this.read(path);
    const stats = await stat(path).catch(() => undefined);
    return bytes === undefined || stats === undefined
      ? undefined
      : { text: new TextDecoder().decode(bytes), fetchedAt: stats.mtimeMs };
  }

  async keepManifest(registry: string, name: ModelName, text: string): Promise<void> {
    await this.write(this.manifestPath(registry, name), new TextEncoder().encode(text));
  }

  private blobPath(digest: string): string {
    return join(this.folder, 'registry', 'blobs', digest.replace(':', '-'));
  }

  /** Parts of a name hold no separators; what else a file system minds is encoded. A dot at the front would lead out of the folder. */
  private manifestPath(registry: string, { namespace, model, tag }: ModelName): string {
    const [host = '', space = '', name = '', version = ''] = [registry, namespace, model, tag].map((part) =>
      encodeURIComponent(part.toLowerCase()).replace(/^\./, '%2E').replace(/\.$/, '%2E'),
    );
    return `${join(this.folder, 'registry', 'manifests', host, space, name, version)}.json`;
  }

  private async read(path: string): Promise<Uint8Array | undefined> {
    try {
      const { size } = await stat(path);
      return size > MANIFEST_LIMIT ? undefined : await readFile(path);
    } catch {
      return undefined;
    }
  }

  private async write(path: string, bytes: Uint8Array): Promise<void> {
    const partial = `${path}.${randomBytes(6).toString('hex')}.partial`;
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(partial, bytes, { flag: 'wx' });
      await rename(partial, path);
    } catch {
      await unlink(partial).catch(() => undefined);
    }
  }
}
