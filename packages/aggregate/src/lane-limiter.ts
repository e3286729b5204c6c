import type { Clock } from "@bus/core";
import type { Lane } from "./lane.ts";
import { limitFullAtMs, limitWaitMs } from "./rate-limit.ts";
import type { RateLimit } from "./rate-limit.ts";

interface DelayedLane {
  readonly lane: Lane;
  readonly dueAtMs: number;
}

/** Holds back lanes whose aggregate is over its rate limit: one timer for all of them, in order of their due time. */
export class LaneLimiter {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  readonly #onDue: (lane: Lane) => void;
  /** Latest first, so that the next one due is taken off the end. */
  readonly #delayed: DelayedLane[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(limit: RateLimit, clock: Clock, onDue: (lane: Lane) => void) {
    this.#limit = limit;
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Let one message of a lane pass, or delay the lane until it may. */
  pass(lane: Lane): boolean {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = limitWaitMs(this.#limit, lane.limitFullAtMs, nowMs);
    if (waitMs === 0) {
      lane.limitFullAtMs = limitFullAtMs(this.#limit, lane.limitFullAtMs, nowMs);
      return true;
    }
    this.#delay(lane, nowMs + waitMs);
    return false;
  }

  /** A delayed lane has nothing left to run. O(delayed lanes). */
  forget(lane: Lane): void {
    const index = this.#delayed.findIndex((delayed) => delayed.lane === lane);
    if (index < 0) return;
    this.#delayed.splice(index, 1);
    this.#arm();
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#delayed.length = 0;
  }

  #delay(lane: Lane, dueAtMs: number): void {
    let low = 0;
    let high = this.#delayed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#delayed[middle]?.dueAtMs ?? dueAtMs) > dueAtMs) low = middle + 1;
      else high = middle;
    }
    this.#delayed.splice(low, 0, { lane, dueAtMs });
    if (low === this.#delayed.length - 1) this.#arm();
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const next = this.#delayed.at(-1);
    if (next === undefined) return;
    const delayMs = Math.max(0, next.dueAtMs - this.#clock.monotonicMs());
    this.#cancelTimer = this.#clock.schedule(() => this.#wakeDue(), delayMs);
  }

  #wakeDue(): void {
    this.#cancelTimer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (
      let next = this.#delayed.at(-1);
      next !== undefined && next.dueAtMs <= nowMs;
      next = this.#delayed.at(-1)
    ) {
      this.#delayed.pop();
      this.#onDue(next.lane);
    }
    if (this.#cancelTimer === undefined) this.#arm();
  }
}
