import type { Clock } from "@bus/core";
import type { Lane } from "./lane.ts";
import type { LaneMemory } from "./lane-set.ts";
import { limitFullAtMs, limitWaitMs } from "./rate-limit.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What a limiter is made of. */
export interface LaneLimiterParts {
  readonly limit: RateLimit;
  readonly clock: Clock;
  readonly maxLanes: number;
  readonly onDue: (lane: Lane) => void;
}

interface DelayedLane {
  readonly lane: Lane;
  readonly dueAtMs: number;
}

/** Aggregates without a lane whose use of their limit is remembered: so many for each lane there may be. */
const REMEMBERED_PER_LANE = 16;

/**
 * Holds back lanes whose aggregate is over its rate limit: one timer for all of them, in order of their due time. What
 * an aggregate has used of its limit outlives its lane.
 */
export class LaneLimiter implements LaneMemory {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  readonly #onDue: (lane: Lane) => void;
  readonly #maxRemembered: number;
  /** When the limits of aggregates without a lane are full again, on the monotonic clock; forgotten first, first. */
  readonly #remembered = new Map<string, number>();
  /** Latest first, so that the next one due is taken off the end. */
  readonly #delayed: DelayedLane[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor({ limit, clock, maxLanes, onDue }: LaneLimiterParts) {
    this.#limit = limit;
    this.#clock = clock;
    this.#onDue = onDue;
    this.#maxRemembered = maxLanes * REMEMBERED_PER_LANE;
  }

  /** A lane loses its aggregate. O(1) amortised. */
  remember({ key, limitFullAtMs: laneFullAtMs }: Lane): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [oldest, fullAtMs] of this.#remembered) {
      if (fullAtMs > nowMs && this.#remembered.size < this.#maxRemembered) break;
      this.#remembered.delete(oldest);
    }
    if (laneFullAtMs > nowMs) this.#remembered.set(key, laneFullAtMs);
  }

  /** A lane gets an aggregate. */
  recall(lane: Lane): void {
    const fullAtMs = this.#remembered.get(lane.key);
    if (fullAtMs === undefined) return;
    this.#remembered.delete(lane.key);
    lane.limitFullAtMs = fullAtMs;
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
    this.#remembered.clear();
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
