import type { Adapter, AdapterPart } from '../formats/adapters/adapter';

/** One part of an adapter on its way to a tensor. */
export interface AppliedPart {
  readonly part: AdapterPart;
  readonly adapter: Adapter;
  readonly weight: number;
}
