import { AssertionError } from "node:assert";
import { inspect } from "node:util";
import type { Clock } from "@bus/core";
import { systemClock, wait } from "@bus/core/adapter";

/** What is awaited, for how long, and what to say when it does not come. */
export interface UntilOptions {
  /** Milliseconds after which waiting fails. */
  readonly timeoutMs: number;
  /** Completes the sentence "timed out after … ms waiting for …". */
  readonly what: string;
  /** What the last look saw, for the error. */
  readonly state?: () => unknown;
  /** Milliseconds between looks. @defaultValue 2, rising to 25 */
  readonly intervalMs?: number;
  /** @defaultValue real time */
  readonly clock?: Clock;
}

const FIRST_INTERVAL_MS = 2;
const LONGEST_INTERVAL_MS = 25;

/**
 * Wait for a condition, never for a time: looks at once, then again until it holds.
 *
 * @throws AssertionError when the deadline passes; the message has what was awaited and the last state.
 * What `condition` throws ends the wait at once.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  options: UntilOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const deadlineMs = clock.monotonicMs() + options.timeoutMs;
  let intervalMs = options.intervalMs ?? FIRST_INTERVAL_MS;
  while (!(await condition())) {
    const leftMs = deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) throw timeOut(options);
    await wait(clock, Math.min(intervalMs, leftMs));
    intervalMs = options.intervalMs ?? Math.min(intervalMs * 1.5, LONGEST_INTERVAL_MS);
  }
}

/**
 * Wait for a promise, but not for ever.
 *
 * @throws AssertionError when the deadline passes first. The promise itself is not cancelled; a later rejection of it
 * is dropped, because the time-out has been reported by then.
 */
export async function within<TValue>(
  promise: Promise<TValue>,
  options: UntilOptions,
): Promise<TValue> {
  const ended = new AbortController();
  const deadline = wait(options.clock ?? systemClock, options.timeoutMs, ended.signal).then(
    (passed) => {
      if (passed) throw timeOut(options);
      return promise;
    },
  );
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    ended.abort();
    deadline.catch(() => {
      /* the winner of the race has been reported */
    });
  }
}

function timeOut(options: UntilOptions): AssertionError {
  const state = options.state === undefined ? "" : `; last state: ${show(options.state())}`;
  return new AssertionError({
    message: `timed out after ${options.timeoutMs} ms waiting for ${options.what}${state}`,
  });
}

function show(state: unknown): string {
  return typeof state === "string"
    ? state
    : inspect(state, { depth: 4, breakLength: 120, maxArrayLength: 20 });
}
