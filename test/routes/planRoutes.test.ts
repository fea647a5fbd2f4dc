import { describe, expect, test } from 'vitest';
import type { FileTypeName } from '../../src/core/engine/fileTypes';
import type { ErrorJson } from '../../src/core/errors';
import { describeRoutes } from '../../src/core/routes/describeRoutes';
import {
  planRoutes,
  recommendedType,
  ROUTES,
  type Route,
  type RouteName,
  type RoutePlan,
} from '../../src/core/routes/planRoutes';
import type { RouteAdapter, RouteBase, RouteBuild, RouteFacts } from '../../src/core/routes/routeFacts';
import { TYPE_QUALITY } from '../../src/core/routes/typeQuality';

const BASE: RouteBase = {
  path: 'models/Qwen3-4B',
  kind: 'huggingface',
  architecture: 'qwen3',
  className: 'Qwen3ForCausalLM',
  label: 'Qwen3',
  parameters: 4e9,
  sixteenBit: 'BF16',
};
const LORA: RouteAdapter = {
  path: 'outputs/lora',
  directory: 'outputs/lora',
  format: 'peft',
  method: 'lora',
  weight: 1,
  bytes: 4e7,
  hasPatterns: false,
  targets: ['k_proj', 'q_proj'],
  ggufBytes: 2e7,
};
const GGUF: RouteAdapter = { ...LORA, path: 'lora.gguf', format: 'gguf', architecture: 'qwen3', targets: [] };
const DORA: ErrorJson = {
  code: 'adapter/no-gguf-form',
  message: 'outputs/dora cannot be a GGUF adapter: it is a DoRA.',
};

function builds(...sizes: readonly (readonly [FileTypeName, number])[]): { readonly builds: readonly RouteBuild[] } {
  return {
    builds: sizes.map(([type, bytesWritten]) => ({
      type,
      bytesRead: 8e9,
      bytesWritten,
      memoryBytes: 5e8,
      seconds: 40,
    })),
  };
}

const ALL = builds(['BF16', 8e9], ['Q8_0', 4.3e9], ['Q4_K_M', 2.5e9]);

function facts(more: Partial<RouteFacts> = {}): RouteFacts {
  return { base: BASE, adapters: [LORA], ollamaVersion: '0.32.15', fused: ALL, plain: ALL, ...more };
}

function route(plan: RoutePlan, name: RouteName): Route {
  return plan.routes.find((candidate) => candidate.route === name)!;
}

function working(plan: RoutePlan): RouteName[] {
  return plan.routes.filter(({ works }) => works).map((candidate) => candidate.route);
}

describe('the type', () => {
  test.each<readonly [number, FileTypeName]>([
    [3.3e6, 'BF16'],
    [1.35e8, 'BF16'],
    [5e8, 'Q8_0'],
    [7.5e8, 'Q8_0'],
    [1.24e9, 'Q8_0'],
    [1.54e9, 'Q4_K_M'],
    [8e9, 'Q4_K_M'],
    [7e10, 'Q4_K_M'],
  ])('%d parameters: %s', (parameters, type) => {
    expect(recommendedType({ ...BASE, parameters })).toBe(type);
    const plan = planRoutes(facts({ base: { ...BASE, parameters } }));
    expect(plan).toMatchObject({ type, recommended: type === 'BF16' ? 'fuse' : 'fuse-quantise' });
  });

  test('an F16 base stays F16', () => {
    expect(recommendedType({ ...BASE, parameters: 1e8, sixteenBit: 'F16' })).toBe('F16');
  });

  test('what was asked for is made, whatever the size, with its published loss', () => {
    const plan = planRoutes(facts({ base: { ...BASE, parameters: 5e8 }, wantedType: 'Q4_K_M' }));
    expect(plan).toMatchObject({
      recommended: 'fuse-quantise',
      type: 'Q4_K_M',
      because: 'Q4_K_M is what was asked for.',
    });
    expect(route(plan, 'fuse-quantise')).toMatchObject({
      type: 'Q4_K_M',
      diskBytes: 2.5e9,
      quality: { perplexity: 0.1755, divergence: 0.0313 },
    });
    expect(planRoutes(facts({ wantedType: 'F32' }))).toMatchObject({ recommended: 'fuse', type: 'F32' });
    expect(route(planRoutes(facts({ wantedType: 'F32' })), 'fuse').type).toBe('F32');
  });

  test('losses grow as bits shrink', () => {
    const known = Object.values(TYPE_QUALITY)
      .filter(({ bitsPerWeight }) => bitsPerWeight <= 16.1)
      .sort((a, b) => b.bitsPerWeight - a.bitsPerWeight);
    const divergences = known.map(({ divergence }) => divergence ?? NaN);
    expect([...divergences].sort((a, b) => a - b)).toEqual(divergences);
  });
});

describe('ADAPTER as it is', () => {
  test.each<readonly [string, Partial<RouteFacts>, RegExp]>([
    ['qwen3', {}, /model\*\.safetensors.*unsupported architecture.*qwen3/],
    [
      'an Ollama from before it looked for model*.safetensors',
      { ollamaVersion: '0.12.10' },
      /^Ollama would refuse it over its API/,
    ],
    [
      'llama, queries and keys',
      { base: { ...BASE, architecture: 'llama' } },
      /scramble its changes of queries and keys/,
    ],
    [
      'llama, mlx',
      { base: { ...BASE, architecture: 'llama' }, adapters: [{ ...LORA, format: 'mlx', targets: ['v_proj'] }] },
      /lose mlx's scale/,
    ],
    [
      'llama, rsLoRA',
      { base: { ...BASE, architecture: 'llama' }, adapters: [{ ...LORA, method: 'rslora' }] },
      /lose the scale of rsLoRA/,
    ],
    [
      'llama, patterns',
      { base: { ...BASE, architecture: 'llama' }, adapters: [{ ...LORA, hasPatterns: true }] },
      /rank and alpha patterns/,
    ],
    [
      'gemma2, DoRA',
      { base: { ...BASE, architecture: 'gemma2' }, adapters: [{ ...LORA, method: 'dora' }] },
      /leave out the magnitudes of DoRA/,
    ],
    ['two', { adapters: [LORA, GGUF] }, /one adapter only/],
    [
      'a GGUF of another architecture',
      { adapters: [{ ...GGUF, architecture: 'llama' }] },
      /the adapter is for llama, and the base is qwen3/,
    ],
    ['a GGUF with a weight', { adapters: [{ ...GGUF, weight: 0.5 }] }, /weight of an adapter that is a GGUF already/],
    [
      'a GGUF of another base',
      {
        adapters: [GGUF],
        fused: {
          builds: [],
          problem: { code: 'adapter/base-mismatch', message: 'lora.gguf was trained on another model.' },
        },
      },
      /trained on another model/,
    ],
    [
      'a GGUF that llama.cpp stops on',
      {
        adapters: [
          {
            ...GGUF,
            ggufProblem: {
              code: 'adapter/no-gguf-form',
              message: 'lora.gguf cannot be a GGUF adapter: it changes the embedding',
            },
          },
        ],
      },
      /changes the embedding/,
    ],
    [
      'a GGUF for an engine that takes none',
      { adapters: [GGUF], ollamaVersion: '0.24.0' },
      /loras are not yet implemented/,
    ],
  ])('%s: never, with the reasons', (_name, more, why) => {
    const plan = planRoutes(facts(more));
    expect(route(plan, 'adapter')).toMatchObject({
      works: false,
      why: expect.stringMatching(why) as string,
      commands: [],
    });
  });

  test('a GGUF: as it is', () => {
    const plan = planRoutes(facts({ adapters: [GGUF] }));
    expect(route(plan, 'adapter')).toMatchObject({ works: true, diskBytes: 8e9 + GGUF.bytes });
    expect(route(plan, 'gguf-adapter').works).toBe(false);
    expect(
      route(
        planRoutes(
          facts({
            base: { ...BASE, architecture: 'llama' },
            adapters: [{ ...GGUF, architecture: 'llama' }],
            ollamaVersion: '0.24.0',
          }),
        ),
        'adapter',
      ).works,
    ).toBe(true);
  });
});

describe('the other routes', () => {
  test('cost what their builds cost', () => {
    const plan = planRoutes(facts());
    expect(working(plan)).toEqual(['gguf-adapter', 'fuse', 'fuse-quantise']);
    expect(route(plan, 'fuse')).toMatchObject({
      type: 'BF16',
      diskBytes: 8e9,
      temporaryBytes: 8e9,
      memoryBytes: 5e8,
      seconds: 40,
      commands: ['modelfile-studio create NAME --base models/Qwen3-4B --adapter outputs/lora --type BF16'],
    });
    expect(route(plan, 'fuse-quantise')).toMatchObject({ type: 'Q4_K_M', diskBytes: 2.5e9 });
    expect(route(plan, 'gguf-adapter')).toMatchObject({
      type: 'Q4_K_M',
      diskBytes: 2.5e9 + 2e7,
      commands: [
        'modelfile-studio create NAME --base models/Qwen3-4B --adapter outputs/lora --route gguf-adapter --type Q4_K_M',
      ],
    });
  });

  test('what no GGUF adapter can hold is fused', () => {
    const plan = planRoutes(facts({ adapters: [{ ...LORA, method: 'dora', ggufProblem: DORA }] }));
    expect(working(plan)).toEqual(['fuse', 'fuse-quantise']);
    expect(route(plan, 'gguf-adapter')).toMatchObject({ works: false, why: DORA.message, code: DORA.code });
  });

  test('several adapters add up when they are fused, and only then', () => {
    const plan = planRoutes(facts({ adapters: [LORA, { ...LORA, path: 'my other lora', weight: 0.5 }] }));
    expect(working(plan)).toEqual(['fuse', 'fuse-quantise']);
    expect(route(plan, 'fuse').commands).toEqual([
      'modelfile-studio create NAME --base models/Qwen3-4B --adapter outputs/lora --adapter "my other lora=0.5" --type BF16',
    ]);
  });

  test('a base that cannot be built: the reason, and no route', () => {
    const problem: ErrorJson = {
      code: 'adapter/base-mismatch',
      message: 'outputs/lora was trained on a model with hidden size 2048; base has 1024.',
    };
    const plan = planRoutes(facts({ fused: { builds: [], problem }, adapters: [{ ...LORA, ggufProblem: problem }] }));
    expect(working(plan)).toEqual([]);
    expect(plan.recommended).toBeUndefined();
    expect(plan.because).toBe(`No route works: ${problem.message}`);
    expect(route(plan, 'fuse').code).toBe(problem.code);
  });

  test('Ollama before 0.30 runs some architectures in an engine without adapters', () => {
    for (const [architecture, version, works] of [
      ['qwen3', '0.24.0', false],
      ['gemma3', '0.29.9', false],
      ['qwen3', '0.30.0', true],
      ['llama', '0.24.0', true],
      ['qwen2', '0.24.0', true],
      ['qwen3', '0.34.0', true],
    ] as const) {
      expect(
        route(planRoutes(facts({ base: { ...BASE, architecture }, ollamaVersion: version })), 'gguf-adapter').works,
      ).toBe(works);
    }
  });

  test('a server that is too old for files takes none of them', () => {
    const plan = planRoutes(facts({ ollamaVersion: '0.5.4' }));
    expect(working(plan)).toEqual([]);
    expect(plan.because).toMatch(/0\.5\.4 is too old/);
  });
});

describe('a base that is a GGUF or installed', () => {
  const installed: RouteBase = {
    ...BASE,
    path: 'qwen3:4b',
    kind: 'installed',
    stored: { type: 'Q4_K_M', bytes: 2.5e9, isQuantised: true },
  };

  test('has the adapter fused into it first; beside it where that works, and only until it does not', () => {
    const plan = planRoutes(facts({ base: installed, plain: builds() }));
    expect(plan).toMatchObject({ recommended: 'fuse-quantise', type: 'Q4_K_M' });
    expect(route(plan, 'gguf-adapter').why).toMatch(/Only until Ollama 0\.34\.0/);
    expect(route(plan, 'gguf-adapter')).toMatchObject({ type: 'Q4_K_M', diskBytes: 2e7, temporaryBytes: 2e7 });
    expect(
      route(
        planRoutes(facts({ base: { ...installed, kind: 'gguf', path: 'base.gguf' }, plain: builds() })),
        'gguf-adapter',
      ).diskBytes,
    ).toBe(2.5e9 + 2e7);
  });

  test('is fused into where the adapter must be, in its own type, and it is said that this rounds twice', () => {
    const plan = planRoutes(
      facts({ base: installed, plain: builds(), adapters: [{ ...LORA, method: 'dora', ggufProblem: DORA }] }),
    );
    expect(plan).toMatchObject({ recommended: 'fuse-quantise', type: 'Q4_K_M' });
    expect(route(plan, 'fuse-quantise').why).toMatch(/rounded before, and the changed ones are rounded again/);
    const sixteen = planRoutes(
      facts({
        base: { ...installed, stored: { type: 'F16', bytes: 8e9, isQuantised: false } },
        adapters: [{ ...LORA, ggufProblem: DORA }],
      }),
    );
    expect(route(sixteen, 'fuse-quantise').why).not.toMatch(/rounded again/);
  });

  test('whose file is out of reach takes GGUF adapters only', () => {
    const problem: ErrorJson = {
      code: 'ollama/file',
      message: 'qwen3:4b is on the Ollama server, but its file is out of reach from here.',
    };
    const far = facts({ base: installed, fused: { builds: [], problem }, plain: builds() });
    expect(working(planRoutes(far))).toEqual(['gguf-adapter']);
    const none = planRoutes({ ...far, adapters: [{ ...LORA, ggufProblem: DORA }] });
    expect(none.recommended).toBeUndefined();
    expect(route(none, 'fuse')).toMatchObject({ works: false, why: problem.message, code: 'ollama/file' });
  });
});

describe('a type that was asked for, and a base without an adapter', () => {
  const stored = { type: 'Q8_0', bytes: 4.3e9, isQuantised: true };
  const gguf: RouteBase = { ...BASE, kind: 'gguf', path: 'base.gguf', stored };

  test('counts with every base: what would leave the base as it is does not work', () => {
    for (const base of [gguf, { ...gguf, kind: 'installed' as const, path: 'qwen3:4b' }]) {
      for (const adapter of [LORA, GGUF]) {
        const plan = planRoutes(facts({ base, adapters: [adapter], wantedType: 'Q4_K_M', plain: builds() }));
        expect(plan).toMatchObject({ recommended: 'fuse-quantise', type: 'Q4_K_M' });
        const apart = adapter === LORA ? 'gguf-adapter' : 'adapter';
        expect(route(plan, apart)).toMatchObject({ works: false });
        expect(route(plan, apart).why).toMatch(/the base would stay Q8_0, and Q4_K_M was asked for/);
        const same = planRoutes(facts({ base, adapters: [adapter], wantedType: 'Q8_0', plain: builds() }));
        expect(route(same, apart).works).toBe(true);
      }
    }
  });

  test('what is quantised, or has the type that is wanted, goes into the model as it is', () => {
    const plan = planRoutes(facts({ base: gguf, adapters: [], plain: builds() }));
    expect(plan).toMatchObject({ recommended: 'fuse-quantise', type: 'Q8_0', because: 'There is nothing to build.' });
    expect(route(plan, 'fuse-quantise')).toMatchObject({ diskBytes: 4.3e9, temporaryBytes: 0 });
    const odd = { ...gguf, stored: { ...stored, type: 'IQ2_XXS' } };
    expect(planRoutes(facts({ base: odd, adapters: [] }))).toMatchObject({
      recommended: 'fuse-quantise',
      type: undefined,
    });
    const half = { ...gguf, stored: { type: 'BF16', bytes: 8e9, isQuantised: false } };
    expect(planRoutes(facts({ base: half, adapters: [], wantedType: 'BF16' }))).toMatchObject({ recommended: 'fuse' });
    expect(route(planRoutes(facts({ base: half, adapters: [] })), 'fuse-quantise')).toMatchObject({
      type: 'Q4_K_M',
      temporaryBytes: 2.5e9,
    });
  });
});

describe('what each version of Ollama gets', () => {
  // Of the routes: adapter (for a GGUF adapter), gguf-adapter (for a folder), fuse and fuse-quantise.
  test.each<readonly [version: string | undefined, apart: boolean]>([
    ['0.31.0', true],
    ['0.32.15', true],
    ['0.34.0', true],
    ['0.34.0-rc1', true],
    ['0.34.1-rc0', false],
    ['0.34.1', false],
    ['v0.34.4', false],
    ['0.35.0', false],
    ['1.0.0', false],
    ['0.0.0', false],
    [undefined, false],
  ])('%s: apart %s; fused always, and recommended always', (ollamaVersion, apart) => {
    const stored = { type: 'Q4_K_M', bytes: 2.5e9, isQuantised: true };
    const bases: RouteBase[] = [
      BASE,
      { ...BASE, kind: 'gguf', path: 'base.gguf', stored },
      { ...BASE, kind: 'installed', path: 'qwen3:4b', stored },
    ];
    for (const base of bases) {
      for (const adapter of [LORA, GGUF]) {
        const plan = planRoutes(facts({ base, adapters: [adapter], ollamaVersion }));
        expect(plan.recommended).toBe('fuse-quantise');
        expect(working(plan)).toEqual([
          ...(apart ? [adapter === LORA ? 'gguf-adapter' : 'adapter'] : []),
          'fuse',
          'fuse-quantise',
        ]);
        const judged = route(plan, adapter === LORA ? 'gguf-adapter' : 'adapter');
        expect(judged.why).toMatch(apart ? /Only until Ollama 0\.34\.0/ : /attaches no adapters/);
      }
    }
  });
});

test('whatever the facts: every route is judged, the recommended one works, and none loses anything', () => {
  let seen = 0;
  for (const format of ['peft', 'mlx', 'gguf'] as const) {
    for (const method of ['lora', 'rslora', 'dora', 'full'] as const) {
      for (const architecture of ['llama', 'gemma2', 'qwen3', 'granite']) {
        for (const kind of ['huggingface', 'gguf', 'installed'] as const) {
          for (const ollamaVersion of [undefined, '0.5.0', '0.12.11', '0.24.0', '0.32.15', '0.34.4']) {
            for (const parameters of [1e6, 1e9, 1e10]) {
              const ggufProblem = method === 'dora' || method === 'full' ? DORA : undefined;
              const stored = kind === 'huggingface' ? undefined : { type: 'Q4_K_M', bytes: 1e9, isQuantised: true };
              const plan = planRoutes(
                facts({
                  base: { ...BASE, architecture, kind, parameters, stored },
                  adapters: [{ ...LORA, format, method, architecture, ggufProblem }],
                  ollamaVersion,
                }),
              );
              seen++;
              expect(plan.routes.map((candidate) => candidate.route)).toEqual([...ROUTES]);
              expect(
                plan.routes.every(({ why, works, commands }) => why !== '' && commands.length === (works ? 1 : 0)),
              ).toBe(true);
              expect(plan.recommended === undefined).toBe(working(plan).length === 0);
              expect(plan.recommended === undefined || working(plan).includes(plan.recommended)).toBe(true);
              expect(route(plan, 'adapter').works && format !== 'gguf').toBe(false);
              expect(route(plan, 'gguf-adapter').works && ggufProblem !== undefined).toBe(false);
              expect(kind === 'huggingface' && parameters <= 1.3e9 && /^I?Q[2-5]/.test(plan.type ?? '')).toBe(false);
            }
          }
        }
      }
    }
  }
  expect(seen).toBe(3 * 4 * 4 * 3 * 6 * 3);
});

test('the routes as a person reads them: the recommended one first, control characters made visible', () => {
  const given = facts({ adapters: [{ ...LORA, path: 'lo\u001b[31mra' }] });
  const text = describeRoutes(given, planRoutes(given));
  expect(text).not.toContain('\u001b');
  const lines = text.split('\n');
  expect(lines[0]).toMatch(/^Base {7}models\/Qwen3-4B · Qwen3 · 4\.0 B parameters · Ollama 0\.32\.15$/);
  expect(lines.filter((line) => /^[★✓✗]/.test(line)).map((line) => line[0])).toEqual(['★', '✓', '✓', '✗']);
  expect(text).toContain('★ Fuse and quantise · Q4_K_M · disk 2.5 GB');
  expect(text).toMatch(/Loss: perplexity added, published by llama\.cpp/);
  expect(
    describeRoutes({ ...given, ollamaVersion: undefined }, planRoutes({ ...given, ollamaVersion: undefined })),
  ).toContain('no Ollama answered: judged for the newest');
});
