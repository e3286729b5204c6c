/** A rate that may be exceeded for a moment. */
export interface RateLimit {
  /** Messages per second on average, > 0. */
  readonly perSecond: number;
  /** Messages that may pass at once after a pause, ≥ 1. */
  readonly burst: number;
}

/** Below this, a wait is the rounding error of a sum of intervals. */
const ROUNDING_MS = 1e-6;

/**
 * How long the next message has to wait, in milliseconds; 0 when it may pass now.
 *
 * The bucket's whole state is one number, the time at which it will be full again: nothing has to be refilled by a
 * timer, and a thousand buckets cost a thousand numbers.
 *
 * Source: generic cell rate algorithm, ITU-T I.371.
 */
export function limitWaitMs(limit: RateLimit, fullAtMs: number, nowMs: number): number {
  const waitMs = fullAtMs - nowMs - (limit.burst - 1) * intervalMs(limit);
  return waitMs > ROUNDING_MS ? waitMs : 0;
}

/** When the bucket is full again after one more message has passed. */
export function limitFullAtMs(limit: RateLimit, fullAtMs: number, nowMs: number): number {
  return Math.max(fullAtMs, nowMs) + intervalMs(limit);
}

function intervalMs(limit: RateLimit): number {
  return 1000 / limit.perSecond;
}
