import type { Clock } from "../contracts/clock.ts";

/**
 * Wait, but no longer than a signal allows.
 *
 * @param delayMs - At least so many milliseconds, unless a signal aborts first.
 * @returns `true` when the time has passed, `false` when the signal aborted. Never rejects, leaves no timer or listener.
 */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = (): void => {
      cancel();
      resolve(false);
    };
    const cancel = clock.schedule(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve(true);
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
