import { requiresVersion } from '../../core/golang/semver';
import { resolveOllamaAddress } from '../../core/ollama/ollamaAddress';
import type { Command } from '../command';
import { flag, required, usageError } from '../options';
import { formatCommand } from './format';
import { lintCommand } from './lint';
import { parseCommand } from './parse';
import { renderCommand } from './render';

function filesOf(name: string, positionals: readonly string[]): readonly string[] {
  if (positionals.length === 0) {
    throw usageError(`${name} needs a file. For example: ${name} Modelfile`);
  }
  return positionals;
}

const parse: Command = {
  name: 'parse',
  usage: 'FILE…',
  does: 'a Modelfile as Ollama reads it',
  options: {},
  run: (positionals, _options, { json, signal }) =>
    parseCommand({ paths: filesOf('parse', positionals), json, signal }),
};

const lint: Command = {
  name: 'lint',
  usage: 'FILE… [--fix] [--sarif] [--ollama] [--ollama-version V]',
  does: "Modelfile diagnostics; the errors are Ollama's",
  options: {
    fix: { type: 'boolean' },
    sarif: { type: 'boolean' },
    ollama: { type: 'boolean' },
    'ollama-version': { type: 'string' },
  },
  run: (positionals, options, { json, signal, bundleFolder }) => {
    const version = options['ollama-version'];
    if (typeof version === 'string' && requiresVersion(version) === undefined) {
      throw usageError(`--ollama-version ${version} is no version. For example: --ollama-version 0.20.0`);
    }
    return lintCommand({
      bundleFolder,
      paths: filesOf('lint', positionals),
      json,
      signal,
      fix: flag(options, 'fix'),
      sarif: flag(options, 'sarif'),
      ollamaVersion: typeof version === 'string' ? version.replace(/^v/, '') : undefined,
      ollamaHost: flag(options, 'ollama')
        ? resolveOllamaAddress({ setting: undefined, environment: process.env['OLLAMA_HOST'] }).url
        : undefined,
    });
  },
};

const format: Command = {
  name: 'format',
  usage: 'FILE… [--check]',
  does: 'lay out Modelfiles; what they say never changes',
  options: { check: { type: 'boolean' } },
  run: (positionals, options, { json, signal }) =>
    formatCommand({ paths: filesOf('format', positionals), json, signal, check: flag(options, 'check') }),
};

const render: Command = {
  name: 'render',
  usage: 'FILE… --conversations F.json',
  does: 'the prompts that templates make of conversations',
  options: { conversations: { type: 'string' } },
  run: (positionals, options, { json, signal }) =>
    renderCommand({
      paths: filesOf('render', positionals),
      json,
      signal,
      conversations: required(options, 'conversations', 'conversations.json'),
    }),
};

/** The commands that work on Modelfiles and templates. */
export const MODELFILE_COMMANDS: readonly Command[] = [parse, lint, format, render];
