import { describe, expect, it } from 'vitest';
import type { FileTypeName } from '../../src/core/engine/fileTypes';
import { createRefusal } from '../../src/core/modelfile/createRefusal';
import { lintModelfile } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { DEPRECATED_PARAMETERS, PARAMETERS } from '../../src/core/modelfile/parameters';
import { NO_FACTS, type PathFacts, type WorkspaceFacts } from '../../src/core/modelfile/workspaceFacts';
import { INSTRUCTION_NAMES } from '../../src/core/ollama/instructionNames';
import { ollamaProfile } from '../../src/core/ollama/ollamaProfile';
import { planRoutes, ROUTES } from '../../src/core/routes/planRoutes';
import type { RouteAdapter, RouteBase } from '../../src/core/routes/routeFacts';

/** What people run: before and at the end of the adapters, now, and what is not out yet. */
const VERSIONS = ['0.31.0', '0.32.15', '0.34.0', '0.34.4', '0.99.0'] as const;
type Version = (typeof VERSIONS)[number];

/** `A` is the verdict for versions up to 0.34.0, `B` since 0.34.1. */
const split = <T>(before: T, since: T): Readonly<Record<Version, T>> => ({
  '0.31.0': before,
  '0.32.15': before,
  '0.34.0': before,
  '0.34.4': since,
  '0.99.0': since,
});
const same = <T>(always: T): Readonly<Record<Version, T>> => split(always, always);

const BASES: Readonly<Record<string, RouteBase>> = {
  folder: {
    path: './base',
    kind: 'huggingface',
    architecture: 'qwen3',
    className: 'Qwen3ForCausalLM',
    label: 'Qwen3',
    parameters: 4e9,
    sixteenBit: 'BF16',
  },
  GGUF: {
    path: './base.gguf',
    kind: 'gguf',
    architecture: 'qwen3',
    label: 'Qwen3',
    parameters: 4e9,
    sixteenBit: 'BF16',
    stored: { type: 'Q8_0', bytes: 4.3e9, isQuantised: true },
  },
  installed: {
    path: 'qwen3',
    kind: 'installed',
    architecture: 'qwen3',
    label: 'Qwen3',
    parameters: 4e9,
    sixteenBit: 'BF16',
    stored: { type: 'Q8_0', bytes: 4.3e9, isQuantised: true },
  },
};
const PEFT: RouteAdapter = {
  path: './lora',
  directory: './lora',
  format: 'peft',
  method: 'lora',
  weight: 1,
  bytes: 4e7,
  hasPatterns: false,
  targets: ['v_proj'],
  ggufBytes: 2e7,
};
const ADAPTERS: Readonly<Record<string, RouteAdapter>> = {
  'a PEFT folder': PEFT,
  'an mlx folder': { ...PEFT, format: 'mlx' },
  'a DoRA': { ...PEFT, method: 'dora', ggufProblem: { code: 'adapter/no-gguf-form', message: 'it is a DoRA' } },
  'a GGUF adapter': { ...PEFT, path: './lora.gguf', format: 'gguf', architecture: 'qwen3' },
};
const builds = (['BF16', 'Q8_0', 'Q4_K_M'] as const).map((type: FileTypeName) => ({
  type,
  bytesRead: 8e9,
  bytesWritten: 8e9,
  memoryBytes: 1e9,
  seconds: 10,
}));

/** The routes that are open, by base and adapter; the recommended one is always a fused one. */
const OPEN: Readonly<Record<string, Readonly<Record<Version, readonly string[]>>>> = {
  'a PEFT folder': split(['gguf-adapter', 'fuse', 'fuse-quantise'], ['fuse', 'fuse-quantise']),
  'an mlx folder': split(['gguf-adapter', 'fuse', 'fuse-quantise'], ['fuse', 'fuse-quantise']),
  'a DoRA': same(['fuse', 'fuse-quantise']),
  'a GGUF adapter': split(['adapter', 'fuse', 'fuse-quantise'], ['fuse', 'fuse-quantise']),
};

describe.each(VERSIONS)('routes on Ollama %s', (version) => {
  it.each(Object.keys(BASES).flatMap((base) => Object.keys(ADAPTERS).map((adapter) => [base, adapter] as const)))(
    'of %s and %s',
    (base, adapter) => {
      const plan = planRoutes({
        base: BASES[base]!,
        adapters: [ADAPTERS[adapter]!],
        ollamaVersion: version,
        fused: { builds },
        plain: { builds },
      });
      expect(plan.routes.map(({ route }) => route)).toEqual([...ROUTES]);
      const open = plan.routes.filter(({ works }) => works);
      expect(open.map(({ route }) => route)).toEqual(OPEN[adapter]![version]);
      expect(plan.recommended).toMatch(/^fuse/);
      for (const { route, why } of open.filter(({ route: name }) => name.includes('adapter'))) {
        expect(why, route).toContain('Only until Ollama 0.34.0');
      }
      for (const { commands, route } of open) {
        expect(commands.length, route).toBeGreaterThan(0);
      }
    },
  );
});

/** A folder, an adapter and a GGUF beside the Modelfile. */
const LOCAL: Readonly<Record<string, PathFacts>> = {
  './base': {
    kind: 'model-folder',
    model: {
      hasConfig: true,
      architecture: 'Qwen3ForCausalLM',
      ggufArchitecture: 'qwen3',
      weights: 'safetensors',
      bytes: 8e9,
      endTokens: [],
      specialTokens: [],
      leavesFolder: false,
      pointers: [],
    },
  },
  './lora': {
    kind: 'adapter-folder',
    adapter: { format: 'peft', method: 'lora', weightsFile: 'adapter_model.safetensors', refusals: [], targets: [] },
  },
  './model.gguf': {
    kind: 'gguf',
    gguf: { role: 'model', architecture: 'qwen3', bytes: 4e9, endTokens: [], specialTokens: [] },
  },
};

/** Codes of a text, for a version that is known or for nobody's. */
async function findings(text: string, version: string | undefined): Promise<string[]> {
  const facts: WorkspaceFacts = {
    ...NO_FACTS,
    path: (path) => Promise.resolve(LOCAL[path] ?? { kind: 'absent' }),
    ollama: () => Promise.resolve(ollamaProfile(version)),
    patternPaths: (path) =>
      Promise.resolve(
        path.includes('[') && !path.includes(']')
          ? { kind: 'malformed', inFolder: false }
          : { kind: 'paths', paths: [path] },
      ),
  };
  return (await lintModelfile(parseModelfile(text), { facts })).map(
    ({ severity, code }) => `${severity} ${code.replace('modelfile/', '')}`,
  );
}

/** A line of each instruction that Ollama of now takes, and what is found of it besides; `create` says its own. */
const INSTRUCTIONS: Readonly<Record<(typeof INSTRUCTION_NAMES)[number], Readonly<Record<Version, readonly string[]>>>> =
  {
    FROM: same([]),
    LICENSE: same([]),
    TEMPLATE: same([]),
    SYSTEM: same([]),
    ADAPTER: {
      ...split(['warning adapter-directory', 'information adapter-ending'], ['warning adapter-gone']),
    },
    DRAFT: same([]),
    RENDERER: same([]),
    PARSER: same([]),
    PARAMETER: same([]),
    MESSAGE: same([]),
    REQUIRES: same([]),
  };
const LINES: Readonly<Record<(typeof INSTRUCTION_NAMES)[number], string>> = {
  FROM: '',
  LICENSE: 'LICENSE MIT',
  TEMPLATE:
    'TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"""\nPARAMETER stop <|im_end|>',
  SYSTEM: 'SYSTEM Be kind.',
  ADAPTER: 'ADAPTER ./lora',
  DRAFT: 'DRAFT ./model.gguf',
  RENDERER: 'RENDERER qwen3-coder\nPARSER qwen3-coder',
  PARSER: 'RENDERER qwen3-coder\nPARSER qwen3-coder',
  PARAMETER: 'PARAMETER temperature 0.5',
  MESSAGE: 'MESSAGE user a\nMESSAGE assistant b',
  REQUIRES: 'REQUIRES 0.14.0',
};

describe.each(VERSIONS)('instructions for Ollama %s', (version) => {
  it.each(INSTRUCTION_NAMES)('%s', async (name) => {
    const profile = ollamaProfile(version);
    expect(profile.has('instruction', name)).toBe(true);
    const text = `FROM llama3.2\n${LINES[name]}\n`;
    expect((await findings(text, version)).sort()).toEqual([...INSTRUCTIONS[name][version]].sort());
    const { verdict } = parseModelfile(text);
    expect(verdict.ok && createRefusal(verdict.commands, profile)).toBe(
      name === 'ADAPTER' && !profile.does('adapterLayers') ? 'LoRA adapters are no longer supported' : undefined,
    );
  });

  it.each([
    ['FROM ./base\n', split(['warning from-unsupported-architecture'], ['warning from-needs-mlx'])],
    ['FROM ./mod[el.gguf\n', split(['warning from-missing-path'], ['error from-pattern'])],
    ['FROM ./model-*.gguf\n', same(['warning from-missing-path'])],
  ] as const)('%j', async (text, expected) => {
    expect(await findings(text, version)).toEqual(expected[version]);
  });
});

const NUMBERS: Readonly<Record<string, string>> = {
  stop: 'x',
  use_mmap: 'true',
  top_p: '0.9',
  min_p: '0.05',
  typical_p: '0.9',
  draft_num_predict: '4',
};

describe.each(VERSIONS)('parameters for Ollama %s', (version) => {
  it.each([...PARAMETERS.keys()])('%s', async (name) => {
    const draft = name === 'draft_num_predict' ? 'DRAFT ./model.gguf\n' : '';
    const text = `FROM llama3.2\n${draft}PARAMETER ${name} ${NUMBERS[name] ?? '1'}\n`;
    const found = (await findings(text, version)).filter((line) => line.startsWith('error'));
    const isGone = name === 'typical_p' && !ollamaProfile(version).does('typicalP');
    expect(found).toEqual(isGone ? ['error gone-parameter'] : []);
    expect(isGone).toBe(name === 'typical_p' && (version === '0.34.4' || version === '0.99.0'));
    const { verdict } = parseModelfile(text);
    expect(verdict.ok && createRefusal(verdict.commands, ollamaProfile(version))).toBe(
      isGone ? 'typical_p is no longer supported' : undefined,
    );
  });

  it.each([...DEPRECATED_PARAMETERS])('%s is warned about and taken', async (name) => {
    const found = await findings(`FROM llama3.2\nPARAMETER ${name} 1\n`, version);
    expect(found.filter((line) => line.startsWith('error'))).toEqual([]);
    expect(found).toHaveLength(1);
  });
});

describe('where nobody says the version', () => {
  it('what the newest refuses is a warning', async () => {
    expect(await findings('FROM llama3.2\nPARAMETER typical_p 0.9\n', undefined)).toEqual(['warning gone-parameter']);
    expect(await findings('FROM ./mod[el.gguf\n', undefined)).toEqual(['warning from-pattern']);
    expect(await findings('FROM llama3.2\nADAPTER ./lora\n', undefined)).toEqual(['warning adapter-gone']);
  });
});
