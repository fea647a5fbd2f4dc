import { expect, it } from 'vitest';
import { planImportance } from '../../src/core/engine/planImportance';
import { chooseTypes } from '../../src/core/engine/chooseTypes';

const TARGET = { name: 'blk.0.ffn_up.weight', shape: [256, 64], type: 'Q4_K' } as const;
type Imatrix = NonNullable<Parameters<typeof planImportance>[1]>;

/** An importance matrix with one entry of so many values. */
function imatrix(name: string, length: number): Imatrix {
  return {
    path: 'of-another.gguf',
    data: { entries: new Map([[name, new Float32Array(length).fill(1)]]) },
  } as unknown as Imatrix;
}

it('an importance matrix of another model is refused, with both sizes', () => {
  expect(() => planImportance([TARGET], imatrix(TARGET.name, 128))).toThrow(
    expect.objectContaining({
      code: 'imatrix/mismatch',
      path: 'of-another.gguf',
      detail: { tensor: TARGET.name, found: 128, wanted: 256 },
    }) as Error,
  );
  expect([...planImportance([TARGET], imatrix(TARGET.name, 256)).offsets]).toEqual([[TARGET.name, 0]]);
});

it('the embedding has no importance, whatever the file says, and nothing is missing', () => {
  const embedding = { ...TARGET, name: 'token_embd.weight' };
  const { offsets, warnings } = planImportance([embedding], imatrix(embedding.name, 128));
  expect([...offsets]).toEqual([]);
  expect(warnings).toEqual([]);
});

it('a pattern of --tensor-type that is no regular expression is refused', () => {
  const tensors = [] as Parameters<typeof chooseTypes>[0];
  const model = {} as Parameters<typeof chooseTypes>[1];
  const options = {
    fileType: 'Q4_K_M',
    hasImatrix: false,
    tensorTypes: [{ pattern: 'attn_v(', type: 'Q8_0' }],
  } as const;
  expect(() => chooseTypes(tensors, model, options)).toThrow(
    expect.objectContaining({ code: 'quantize/pattern', detail: { pattern: 'attn_v(' } }) as Error,
  );
});
