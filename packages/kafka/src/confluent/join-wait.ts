import type { Clock } from "@bus/core";

/** What a wait needs. */
export interface JoinWaitParts {
  readonly clock: Clock;
  /** Topics that were not subscribed before. */
  readonly added: ReadonlySet<string>;
  /** After so long without a change of ownership the group is taken to be at rest, milliseconds. */
  readonly quietMs: number;
  /** Whether this is the first time: then any assignment, an empty one too, is what is waited for. */
  readonly isFirst: boolean;
}

/** Waits until a change of topics has become a change of ownership, which may be none at all. */
export class JoinWait {
  readonly done: Promise<void>;
  readonly #parts: JoinWaitParts;
  #cancelQuiet: (() => void) | undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(parts: JoinWaitParts) {
    this.#parts = parts;
    this.done = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (!parts.isFirst) this.#waitForQuiet();
  }

  /** Ownership has changed; `topics` are those of which partitions are owned now. */
  changed(what: "assigned" | "revoked", topics: ReadonlySet<string>): void {
    const { added, isFirst } = this.#parts;
    const isIt = isFirst || [...added].some((topic) => topics.has(topic));
    if (what === "assigned" && isIt) this.#end(this.#resolve);
    else if (!isFirst) this.#waitForQuiet();
  }

  fail(error: unknown): void {
    this.#end(() => this.#reject(error));
  }

  #waitForQuiet(): void {
    this.#cancelQuiet?.();
    this.#cancelQuiet = this.#parts.clock.schedule(() => this.#resolve(), this.#parts.quietMs);
  }

  #end(settle: () => void): void {
    this.#cancelQuiet?.();
    settle();
  }
}
