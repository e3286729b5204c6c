/**
 * Wait for a promise, but no longer than a signal allows; the work behind the promise goes on.
 *
 * @throws What the promise rejects with, or what `reasonOf` makes of the signal's reason when that aborts first.
 */
export function unlessAborted<TValue>(
  work: Promise<TValue>,
  signal: AbortSignal,
  reasonOf: (reason: unknown) => Error,
): Promise<TValue> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reasonOf(signal.reason));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    // Settles the promise in any case, so that a rejection after an abort is not unhandled.
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
