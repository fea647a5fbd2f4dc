import * as z from 'zod/mini';
import {
  ANSWERS,
  EditorMessage,
  type AnswerOf,
  type PageMessage,
  type PageQuestion,
} from '../../../core/viewer/viewerProtocol';

interface EditorApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): EditorApi;

const PlaceOfView = z.object({
  filter: z.optional(z.string()),
  top: z.optional(z.number()),
  sort: z.optional(z.string()),
  descending: z.optional(z.boolean()),
  text: z.optional(z.string()),
  kind: z.optional(z.string()),
});
const PageState = z.object({ tab: z.optional(z.string()), views: z.optional(z.record(z.string(), PlaceOfView)) });
type PlaceOfView = z.infer<typeof PlaceOfView>;

// The content policy forbids code from texts, which zod would use to validate faster.
z.config({ jitless: true });

/** A refusal of the editor's, with the code that the documentation explains. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Talks to the editor: questions with answers, messages, and what survives when the page is hidden. */
export class Channel {
  readonly #api = acquireVsCodeApi();
  readonly #waiting = new Map<
    number,
    {
      readonly ask: PageQuestion['ask'];
      readonly resolve: (answer: unknown) => void;
      readonly reject: (error: Error) => void;
    }
  >();
  #nextId = 0;
  #state: { tab?: string | undefined; views: Record<string, PlaceOfView> };

  constructor(onMessage: (message: EditorMessage) => void) {
    const stored = PageState.safeParse(this.#api.getState() ?? {});
    this.#state = { tab: stored.data?.tab, views: stored.data?.views ?? {} };
    window.addEventListener('message', (event) => {
      const message = EditorMessage.safeParse(event.data);
      if (message.success) {
        this.#receive(message.data, onMessage);
      }
    });
  }

  send(message: PageMessage): void {
    this.#api.postMessage(message);
  }

  /** The answer to a question; rejects with a {@link Refusal}. */
  ask<K extends PageQuestion['ask']>(question: Extract<PageQuestion, { ask: K }>): Promise<AnswerOf<K>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { ask: question.ask, resolve: resolve as (answer: unknown) => void, reject });
      this.send({ kind: 'ask', id, question });
    });
  }

  get tab(): string | undefined {
    return this.#state.tab;
  }

  set tab(tab: string | undefined) {
    this.#state.tab = tab;
    this.#api.setState(this.#state);
  }

  /** Where the user was in a view. */
  place(view: string): PlaceOfView {
    return this.#state.views[view] ?? {};
  }

  remember(view: string, place: PlaceOfView): void {
    this.#state.views[view] = { ...this.#state.views[view], ...place };
    this.#api.setState(this.#state);
  }

  #receive(message: EditorMessage, onMessage: (message: EditorMessage) => void): void {
    if (message.kind !== 'answer' && message.kind !== 'refused') {
      onMessage(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (waiting === undefined) {
      return;
    }
    if (message.kind === 'refused') {
      waiting.reject(new Refusal(message.error.code, message.error.message));
      return;
    }
    const answer = z.safeParse(ANSWERS[waiting.ask], message.answer);
    if (answer.success) {
      waiting.resolve(answer.data);
    } else {
      waiting.reject(
        new Refusal('internal/unexpected', `The answer to "${waiting.ask}" is not of the form that was agreed.`),
      );
    }
  }
}
