import { describe, expect, it } from 'vitest';
import { compareNames, shapeText, TensorTable, type TensorSelection } from '../../src/core/viewer/tensorTable';

function tableOf(
  ...rows: readonly (readonly [
    name: string,
    type: string,
    shape: readonly number[],
    offset: number | undefined,
    bytes: number | undefined,
  ])[]
): TensorTable {
  const table = new TensorTable();
  for (const [name, type, shape, offset, bytes] of rows) {
    table.add({ name, type, shape, offset, bytes });
  }
  return table;
}

const table = tableOf(
  ['blk.10.attn_q.weight', 'Q4_K', [256, 256], 0, 36_864],
  ['blk.2.attn_q.weight', 'Q6_K', [256, 64], 50_000, 13_440],
  ['blk.2.ffn_norm.weight', 'F32', [256], undefined, undefined],
  ['token_embd.weight', 'Q6_K', [256, 640], 40_000, 134_400],
);
const shown = (selection: Partial<TensorSelection>): string[] =>
  Array.from(table.select({ filter: '', sort: 'file', descending: false, ...selection }), (index) =>
    table.name(index).replace('.weight', ''),
  );

describe('the tensor table', () => {
  it('keeps the order of the file, and turns it around', () => {
    expect(shown({})).toEqual(['blk.10.attn_q', 'blk.2.attn_q', 'blk.2.ffn_norm', 'token_embd']);
    expect(shown({ descending: true })).toEqual(['token_embd', 'blk.2.ffn_norm', 'blk.2.attn_q', 'blk.10.attn_q']);
  });

  it('sorts by every column, numbers in names by value, the unknown last', () => {
    expect(shown({ sort: 'name' })).toEqual(['blk.2.attn_q', 'blk.2.ffn_norm', 'blk.10.attn_q', 'token_embd']);
    expect(shown({ sort: 'shape' })).toEqual(['blk.2.ffn_norm', 'blk.2.attn_q', 'blk.10.attn_q', 'token_embd']);
    expect(shown({ sort: 'size' })).toEqual(['blk.2.attn_q', 'blk.10.attn_q', 'token_embd', 'blk.2.ffn_norm']);
    expect(shown({ sort: 'offset' })).toEqual(['blk.10.attn_q', 'token_embd', 'blk.2.attn_q', 'blk.2.ffn_norm']);
    expect(shown({ sort: 'type' })).toEqual(['blk.2.ffn_norm', 'blk.10.attn_q', 'blk.2.attn_q', 'token_embd']);
  });

  it('filters by words of name, by type and by shape', () => {
    expect(shown({ filter: 'ATTN blk' })).toEqual(['blk.10.attn_q', 'blk.2.attn_q']);
    expect(shown({ filter: 'q6_k' })).toEqual(['blk.2.attn_q', 'token_embd']);
    expect(shown({ filter: '256x640' })).toEqual(['token_embd']);
    expect(shown({ filter: 'nothing' })).toEqual([]);
  });

  it('sums types up, without what has no size', () => {
    expect(table.mix()).toEqual([
      { type: 'Q6_K', tensors: 2, elements: 256 * 64 + 256 * 640, bytes: 147_840 },
      { type: 'Q4_K', tensors: 1, elements: 65_536, bytes: 36_864 },
      { type: 'F32', tensors: 1, elements: 0, bytes: 0 },
    ]);
  });

  it('compares names as people do', () => {
    expect(['a10', 'a9', 'a09', 'b', 'a', ''].sort(compareNames)).toEqual(['', 'a', 'a9', 'a09', 'a10', 'b']);
    expect(compareNames(`a${'9'.repeat(400)}`, `a1${'0'.repeat(400)}`)).toBeLessThan(0);
    expect(shapeText([])).toBe('scalar');
    expect(shapeText([256, 4])).toBe('256 × 4');
  });

  it('is quick with hundreds of thousands', () => {
    const large = new TensorTable();
    for (let index = 0; index < 300_000; index++) {
      large.add({
        name: `layers.${(index * 7919) % 300_000}.weight`,
        type: 'F16',
        shape: [2, 2],
        offset: index,
        bytes: 8,
      });
    }
    const started = performance.now();
    const order = large.select({ filter: 'weight', sort: 'name', descending: false });
    expect(large.name(order[12_345]!)).toBe('layers.12345.weight');
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
