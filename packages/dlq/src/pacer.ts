import type { Clock } from "@bus/core";
import { wait } from "@bus/core/adapter";

/** Ten steps a second keep bursts short without a timer for every message. */
const STEPS_PER_SECOND = 10;

/** Spreads messages over time; without a rate it never waits. */
export class Pacer {
  readonly #clock: Clock;
  readonly #perSecond: number | undefined;
  #nextAtMs = -Infinity;

  constructor(clock: Clock, perSecond: number | undefined) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Most messages that may go at once. */
  get stepMessages(): number {
    if (this.#perSecond === undefined) return Infinity;
    return Math.max(1, Math.floor(this.#perSecond / STEPS_PER_SECOND));
  }

  /** Wait until so many messages may go. Returns `false` when the signal aborted first. */
  async pass(messages: number, signal: AbortSignal): Promise<boolean> {
    if (this.#perSecond === undefined) return !signal.aborted;
    const nowMs = this.#clock.monotonicMs();
    const atMs = Math.max(this.#nextAtMs, nowMs);
    this.#nextAtMs = atMs + (messages * 1000) / this.#perSecond;
    if (atMs <= nowMs) return !signal.aborted;
    return wait(this.#clock, atMs - nowMs, signal);
  }
}
