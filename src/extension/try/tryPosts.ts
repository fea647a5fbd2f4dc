/** What is known of an answer that ended. Seconds; `tokensPerSecond` where enough were made to tell. */
export interface TryFacts {
  readonly stopReason?: string | undefined;
  readonly tokens?: number | undefined;
  readonly tokensPerSecond?: number | undefined;
  readonly promptTokens?: number | undefined;
  readonly seconds?: number | undefined;
  readonly loadSeconds?: number | undefined;
  readonly seed?: number | undefined;
}

/** An answer's place: which turn, which of the models side by side. */
export interface TryPlace {
  readonly turn: number;
  readonly column: number;
}

/** A part of a prompt, as the template made it. */
export interface TryPromptPart {
  readonly text: string;
  readonly isSpecial: boolean;
}

/** What the editor sends to the page of the Try panel; {@link TryMessage} is what comes back. */
export type TryPost =
  | {
      readonly type: 'set-up';
      readonly models: readonly string[];
      readonly strings: Readonly<Record<string, string>>;
    }
  | { readonly type: 'models'; readonly installed: readonly string[] }
  | { readonly type: 'notice'; readonly message: string }
  | ({ readonly type: 'begin' } & TryPlace)
  | ({ readonly type: 'piece'; readonly text: string; readonly thinking: string } & TryPlace)
  | ({ readonly type: 'done'; readonly facts: TryFacts } & TryPlace)
  | ({ readonly type: 'failed'; readonly cancelled: boolean; readonly message: string } & TryPlace)
  | { readonly type: 'idle'; readonly turn: number }
  | ({ readonly type: 'prompt'; readonly parts?: readonly TryPromptPart[]; readonly error?: string } & TryPlace);
