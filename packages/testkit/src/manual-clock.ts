import { setImmediate } from "node:timers/promises";
import type { Clock } from "@bus/core";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Callbacks that are scheduled and neither run nor cancelled. */
  readonly pending: number;
  /**
   * Move time and run what is due on the way, in order of due time, each at its own time. Callbacks that are scheduled
   * meanwhile run too when they are due by then.
   *
   * @param ms - Milliseconds, ≥ 0.
   */
  advance(ms: number): void;
  /** Like `advance`, but lets promises settle before the first callback and after each one. */
  advanceAsync(ms: number): Promise<void>;
}

interface Alarm {
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * Make a clock for tests: no real time passes, nothing runs by itself.
 *
 * @param options - `startMs`: what `now()` says first, milliseconds since the Unix epoch; @defaultValue 0.
 */
export function manualClock(options: { readonly startMs?: number } = {}): ManualClock {
  const startMs = options.startMs ?? 0;
  const alarms: Alarm[] = [];
  let elapsedMs = 0;

  const takeDue = (untilMs: number): Alarm | undefined => {
    const first = alarms[0];
    if (first === undefined || first.dueMs > untilMs) return undefined;
    alarms.shift();
    elapsedMs = Math.max(elapsedMs, first.dueMs);
    return first;
  };

  return {
    now: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    get pending() {
      return alarms.length;
    },
    schedule(callback, delayMs) {
      const alarm: Alarm = {
        dueMs: elapsedMs + Math.max(0, checked(delayMs, "delayMs")),
        callback,
      };
      alarms.splice(insertionIndex(alarms, alarm.dueMs), 0, alarm);
      return () => {
        const index = alarms.indexOf(alarm);
        if (index >= 0) alarms.splice(index, 1);
      };
    },
    advance(ms) {
      const targetMs = elapsedMs + forward(ms);
      for (let alarm = takeDue(targetMs); alarm !== undefined; alarm = takeDue(targetMs))
        alarm.callback();
      elapsedMs = Math.max(elapsedMs, targetMs);
    },
    async advanceAsync(ms) {
      const targetMs = elapsedMs + forward(ms);
      await setImmediate();
      for (let alarm = takeDue(targetMs); alarm !== undefined; alarm = takeDue(targetMs)) {
        alarm.callback();
        await setImmediate();
      }
      elapsedMs = Math.max(elapsedMs, targetMs);
    },
  };
}

/** Behind every alarm of the same due time: what was scheduled first runs first. */
function insertionIndex(alarms: readonly Alarm[], dueMs: number): number {
  let low = 0;
  let high = alarms.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((alarms[middle]?.dueMs ?? dueMs) <= dueMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function forward(ms: number): number {
  if (ms >= 0) return checked(ms, "ms");
  throw new RangeError(`ms must be at least 0, got ${ms}: time never goes backwards`);
}

function checked(ms: number, name: string): number {
  if (Number.isFinite(ms)) return ms;
  throw new RangeError(`${name} must be a finite number of milliseconds, got ${ms}`);
}
