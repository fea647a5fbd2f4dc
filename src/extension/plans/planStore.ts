import * as z from 'zod/mini';
import { PLAN_STATE, PROPOSAL, type PlanState, type Proposal } from './proposal';

const STORED = z.array(z.object({ key: z.string(), proposal: PROPOSAL, state: PLAN_STATE, keeps: z.boolean() }));

/** Plans that are kept, the newest; pages of older ones say that their plan is gone. */
const MAX_PLANS = 20;

export interface Plan {
  readonly proposal: Proposal;
  readonly state: PlanState;
  /** The files that are made on the way are kept. */
  readonly keeps: boolean;
}

/** Where plans outlive a reload of the window. */
export interface PlanStorage {
  read(): unknown;
  write(value: unknown): void;
}

/** The plans by the address of their page, oldest first. */
export class PlanStore {
  readonly #plans: Map<string, Plan>;

  constructor(private readonly storage: PlanStorage) {
    const parsed = STORED.safeParse(storage.read());
    this.#plans = new Map((parsed.success ? parsed.data : []).map(({ key, ...plan }) => [key, plan]));
  }

  get(key: string): Plan | undefined {
    return this.#plans.get(key);
  }

  /** Addresses of the plans whose job this is. */
  ofJob(id: string): readonly string[] {
    return [...this.#plans]
      .filter(([, { state }]) => state.kind === 'started' && state.jobId === id)
      .map(([key]) => key);
  }

  set(key: string, plan: Plan): void {
    this.#plans.set(key, plan);
    while (this.#plans.size > MAX_PLANS) {
      this.#plans.delete(this.#plans.keys().next().value ?? '');
    }
    this.storage.write(
      [...this.#plans].map(([one, { proposal, state, keeps }]) => ({ key: one, proposal, state, keeps })),
    );
  }
}
