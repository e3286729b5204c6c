import { BusHandlerError } from "./bus-error.ts";

/** Thrown by a handler: try this message again, not before `afterMs` (or the policy's back-off when absent). */
export class RetryLater extends BusHandlerError {
  readonly isRetryLater: true = true;
  /** Milliseconds from now; `undefined` leaves it to the retry policy. */
  readonly afterMs: number | undefined;

  constructor(
    options: { readonly afterMs?: number; readonly reason?: string; readonly cause?: unknown } = {},
  ) {
    super("BUS_HANDLER", options.reason ?? "handler asked to retry later", {
      cause: options.cause,
    });
    this.afterMs = options.afterMs;
  }
}

/** Thrown by a handler: this message can never succeed; dead-letter it at once. */
export class Poison extends BusHandlerError {
  readonly isPoison: true = true;

  constructor(reason: string, options: { readonly cause?: unknown } = {}) {
    super("BUS_HANDLER", reason, options);
  }
}

/** Thrown by a handler: nothing to do for this message; acknowledge it, count it, log the reason. */
export class Skip extends BusHandlerError {
  readonly isSkip: true = true;

  constructor(reason: string, options: { readonly cause?: unknown } = {}) {
    super("BUS_HANDLER", reason, options);
  }
}
