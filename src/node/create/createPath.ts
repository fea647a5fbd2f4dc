import { open, stat } from 'node:fs/promises';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import type { Instruction, ModelfileCommand } from '../../core/modelfile/modelfileTypes';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { expandModelfilePath, expandModelfilePaths } from '../modelfile/modelfileFiles';
import { systemCode } from '../files/systemError';
import { isUntouchable } from '../modelfile/workspaceFacts';

/** A FROM, ADAPTER or DRAFT, and what stands where it points. */
export interface NamedPath {
  readonly instruction: Instruction;
  readonly command: ModelfileCommand;
  readonly line: number;
  /** Among those that one pattern names. */
  readonly index: number;
  /** Absolute. */
  readonly path: string;
  readonly kind: 'absent' | 'gguf' | 'file' | 'folder';
}

/**
 * Looks at what an instruction names, without reading more than a file's first bytes.
 * @param where `mayBePattern`: this Ollama takes FROM and DRAFT for patterns, each of which may name many files
 * @throws StudioError input/… with the line, for what no server could read
 */
export async function lookAtPaths(
  instruction: Instruction,
  command: ModelfileCommand,
  lines: ModelfileLines,
  where: { readonly directory: string; readonly mayBePattern: boolean },
): Promise<readonly NamedPath[]> {
  const { args } = command;
  const line = lines.ofInstruction(instruction);
  const failed = (error: StudioError): StudioError => lines.at(error, line);
  if (isUntouchable(args)) {
    throw failed(
      new StudioError(
        'input/not-regular',
        `${escapeControls(args)} is a network share, a device or a URL, which is not opened. Copy or download the files and name them here.`,
      ),
    );
  }
  const isPattern = where.mayBePattern && command.name !== 'adapter';
  const expanded = isPattern
    ? expandModelfilePaths(args, where.directory)
    : expandModelfilePath(args, where.directory).then((path) => [path]);
  const paths = await expanded.catch((thrown: unknown) => {
    throw failed(
      new StudioError(
        'input/missing',
        `${escapeControls(args)}: ${thrown instanceof Error ? thrown.message : String(thrown)}. Check the path.`,
      ),
    );
  });
  const found: NamedPath[] = [];
  for (const [index, path] of paths.entries()) {
    found.push({ instruction, command, line, index, path, kind: await kindOf(path, failed) });
  }
  return found;
}

async function kindOf(path: string, failed: (error: StudioError) => StudioError): Promise<NamedPath['kind']> {
  const stats = await stat(path).catch((thrown: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(thrown) ?? '')) {
      return undefined;
    }
    throw failed(
      new StudioError(
        'input/unreadable',
        `${path} cannot be looked at (${systemCode(thrown) ?? 'unknown'}). Check its permissions.`,
        { path },
      ),
    );
  });
  if (stats === undefined) {
    return 'absent';
  }
  if (stats.isDirectory()) {
    return 'folder';
  }
  if (!stats.isFile()) {
    throw failed(
      new StudioError('input/not-regular', `${path} is neither a file nor a folder. Name a model file or folder.`, {
        path,
      }),
    );
  }
  const head = await headOf(path).catch((thrown: unknown) => {
    throw failed(
      new StudioError(
        'input/unreadable',
        `${path} cannot be read (${systemCode(thrown) ?? 'unknown'}). Check its permissions.`,
        { path },
      ),
    );
  });
  const refused = refusedContent(path, head, stats.size);
  if (refused !== undefined) {
    throw failed(refused);
  }
  return head.subarray(0, 4).toString('latin1') === 'GGUF' ? 'gguf' : 'file';
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(128);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Files that no server could read, refused before they are sent. */
function refusedContent(path: string, head: Buffer, size: number): StudioError | undefined {
  if (size === 0) {
    return new StudioError('input/empty', `${path} is empty. Get the file again.`, { path });
  }
  if (head.toString('latin1').startsWith('version https://git-lfs.github.com/spec/')) {
    return new StudioError(
      'input/lfs-pointer',
      `${path} is a Git LFS pointer: the file itself was never downloaded. Run git lfs pull in its folder.`,
      { path },
    );
  }
  if (
    head[0] === 0x80 ||
    (head.subarray(0, 4).toString('latin1') === 'PK\u0003\u0004' && /\.(?:bin|pt|pth|ckpt|pkl)$/i.test(path))
  ) {
    return new StudioError(
      'input/pickle',
      `${path} is a Python pickle, which can run any code when it is loaded and is not sent. Get the model as safetensors.`,
      { path },
    );
  }
  return undefined;
}
