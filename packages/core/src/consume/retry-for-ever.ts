import { backOffMs } from "../adapter/back-off.ts";
import type { Failure, FailureDecision } from "../contracts/failure.ts";
import { RetryLater, Skip } from "../errors/handler-outcomes.ts";

/** Back-off between runs when no plugin serves the `retry` stage, in milliseconds. */
const RETRY_BACK_OFF = Object.freeze({ baseMs: 100, maxMs: 30_000, jitter: 0.2 });

/** Class given to failures that no plugin classified. */
const UNCLASSIFIED = "RETRYABLE";

/** A decision to run again in place. */
export type RetryDecision = Extract<FailureDecision, { readonly kind: "retry" }>;

/** Core's own policy when no plugin serves the `retry` stage: what the handler asked for, otherwise retry for ever. */
export function decideWithoutPlugin(failure: Failure, random: () => number): FailureDecision {
  if (failure.error instanceof Skip)
    return { kind: "skip", errorClass: "SKIP", reason: failure.error.message };
  return retryForEver(failure, random);
}

/** The last resort: nothing is lost, the key or partition is held until the handler succeeds. */
export function retryForEver(failure: Failure, random: () => number): RetryDecision {
  const asked = failure.error instanceof RetryLater ? failure.error.afterMs : undefined;
  const afterMs = asked ?? backOffMs(failure.attempt, RETRY_BACK_OFF, random);
  return { kind: "retry", afterMs, errorClass: UNCLASSIFIED };
}
