/**
 * A run that gave its `HandlerSlot` back and wants one again. For schedulers that bound how many handlers run at once: put
 * it behind what waits for a first slot, and let it in when its turn comes.
 */
export class ReturningRun {
  /** Resolves to `true` once it was let in, to `false` once its signal has aborted. */
  readonly settled: Promise<boolean>;
  readonly #signal: AbortSignal;
  readonly #giveUp: () => void;
  #resolve: ((isIn: boolean) => void) | undefined;

  /** @param signal - Ends the wait; not aborted yet. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.settled = new Promise((resolve) => (this.#resolve = resolve));
    this.#giveUp = () => this.#settle(false);
    signal.addEventListener("abort", this.#giveUp, { once: true });
  }

  /** Tell it that it has a slot. @returns `false` when it waits no more and needs none. */
  letIn(): boolean {
    return this.#settle(true);
  }

  #settle(isIn: boolean): boolean {
    if (this.#resolve === undefined) return false;
    this.#resolve(isIn);
    this.#resolve = undefined;
    this.#signal.removeEventListener("abort", this.#giveUp);
    return true;
  }
}
