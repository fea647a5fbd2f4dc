import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import {
  FILE_TYPES,
  parseFileType,
  parseTensorType,
  WRITABLE_TYPES,
  type FileTypeName,
  type WritableType,
} from '../core/engine/fileTypes';
import { StudioError } from '../core/errors';
import type { AdapterRequest } from '../node/engine/prepareBuild';
import type { OptionSpec, OptionValues } from './command';

/** The options that choose how tensors are stored. */
export const TYPE_OPTIONS = {
  imatrix: { type: 'string' },
  'tensor-type': { type: 'string', multiple: true },
  'output-tensor-type': { type: 'string' },
  'token-embedding-type': { type: 'string' },
  pure: { type: 'boolean' },
  'leave-output-tensor': { type: 'boolean' },
  'allow-requantize': { type: 'boolean' },
} as const satisfies Record<string, OptionSpec>;

/** The options of every command that writes. With `--dry-run` it says what it would do, and writes nothing. */
export const RUN_OPTIONS = {
  force: { type: 'boolean' },
  workers: { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const satisfies Record<string, OptionSpec>;

export function usageError(message: string): StudioError {
  return new StudioError('usage/arguments', message);
}

export function text(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function flag(options: OptionValues, name: string): boolean {
  return options[name] === true;
}

export function list(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

/** An option that must be given. */
export function required(options: OptionValues, name: string, example: string): string {
  const value = text(options, name);
  if (value === undefined || value === '') {
    throw usageError(`--${name} is missing. For example: --${name} ${example}`);
  }
  return value;
}

export function fileType(value: string): FileTypeName {
  const parsed = parseFileType(value);
  if (parsed === undefined) {
    throw usageError(`${value} is no type that is built in. Choose one of ${Object.keys(FILE_TYPES).join(', ')}.`);
  }
  return parsed;
}

function tensorType(value: string, option: string): WritableType {
  const parsed = parseTensorType(value);
  if (parsed === undefined) {
    throw usageError(
      `--${option}: ${value} is no tensor type that is built in. Choose one of ${WRITABLE_TYPES.join(', ')}.`,
    );
  }
  return parsed;
}

export interface TypeChoices {
  readonly imatrixPath: string | undefined;
  readonly outputTensorType: WritableType | undefined;
  readonly tokenEmbeddingType: WritableType | undefined;
  readonly tensorTypes: readonly { readonly pattern: string; readonly type: WritableType }[];
  readonly pure: boolean;
  readonly leaveOutputTensor: boolean;
  readonly allowRequantize: boolean;
}

export function typeChoices(options: OptionValues): TypeChoices {
  const optional = (name: string): WritableType | undefined => {
    const value = text(options, name);
    return value === undefined ? undefined : tensorType(value, name);
  };
  return {
    imatrixPath: text(options, 'imatrix'),
    outputTensorType: optional('output-tensor-type'),
    tokenEmbeddingType: optional('token-embedding-type'),
    tensorTypes: list(options, 'tensor-type').map((value) => {
      const at = value.lastIndexOf('=');
      if (at <= 0) {
        throw usageError(`--tensor-type ${value}: write PATTERN=TYPE, for example attn_v=Q8_0.`);
      }
      return { pattern: value.slice(0, at), type: tensorType(value.slice(at + 1), 'tensor-type') };
    }),
    pure: flag(options, 'pure'),
    leaveOutputTensor: flag(options, 'leave-output-tensor'),
    allowRequantize: flag(options, 'allow-requantize'),
  };
}

/** `DIR` or `DIR=WEIGHT`; a path that exists is a path, whatever it ends in. */
export function adapterRequest(value: string): AdapterRequest {
  const found = /^(.+)=([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(value);
  if (found === null || existsSync(value)) {
    return { path: value, weight: 1 };
  }
  return { path: found[1]!, weight: Number(found[2]) };
}

/** Threads to use: as asked, else all cores, at most eight. */
export function workerCount(options: OptionValues): number {
  const value = text(options, 'workers');
  if (value === undefined) {
    return Math.max(1, Math.min(8, availableParallelism()));
  }
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > 64) {
    throw usageError(`--workers ${value}: give a number from 1 to 64.`);
  }
  return count;
}
