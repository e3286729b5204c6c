import type { Clock } from "@bus/core";
import type { StoredMessage } from "./partition-log.ts";

/** A message that is to be delivered again. */
export interface Redelivery {
  readonly stored: StoredMessage;
  /** The ticket of its offset: the commit stays below it all the while. */
  readonly ticket: number;
  /** The attempt that the next delivery is. */
  readonly attempt: number;
  /** By the monotonic clock. */
  readonly dueMs: number;
}

/** Longest delay that a timer of Node can carry. */
const MAX_TIMER_MS = 2_147_483_647;

/** Messages that wait for their redelivery, in order of due time, then offset; one timer for all. */
export class RedeliveryQueue {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  readonly #waiting: Redelivery[] = [];
  #cancelTimer: (() => void) | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  /** @param onDue - Called when the first message has become due. */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get isDue(): boolean {
    const first = this.#waiting[0];
    return first !== undefined && first.dueMs <= this.#clock.monotonicMs();
  }

  add(redelivery: Redelivery): void {
    this.#waiting.splice(this.#placeOf(redelivery), 0, redelivery);
    if (this.isDue) this.#onDue();
    else this.#setTimer();
  }

  /** The first message, when it is due. */
  takeDue(): Redelivery | undefined {
    if (!this.isDue) return undefined;
    const first = this.#waiting.shift();
    if (!this.isDue) this.#setTimer();
    return first;
  }

  /** Forget every message; leaves no timer. */
  clear(): void {
    this.#waiting.length = 0;
    this.#stopTimer();
  }

  #setTimer(): void {
    const dueMs = this.#waiting[0]?.dueMs;
    if (dueMs === undefined || dueMs >= this.#timerDueMs) return;
    this.#stopTimer();
    this.#timerDueMs = dueMs;
    const delayMs = Math.min(
      Math.max(Math.ceil(dueMs - this.#clock.monotonicMs()), 0),
      MAX_TIMER_MS,
    );
    this.#cancelTimer = this.#clock.schedule(() => this.#ring(), delayMs);
  }

  #ring(): void {
    this.#stopTimer();
    // A timer may ring a little early, and cannot ring late enough for a very long delay.
    if (this.isDue) this.#onDue();
    else this.#setTimer();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  #placeOf({ dueMs, stored }: Redelivery): number {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle];
      const isBefore =
        other !== undefined &&
        (other.dueMs < dueMs || (other.dueMs === dueMs && other.stored.offset < stored.offset));
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
