import type { Delivery } from "./delivery.ts";
import type { SubscriptionSpec } from "./scheduler.ts";

/** A delivery whose handler failed, as failure policies see it. */
export interface Failure {
  readonly delivery: Delivery;
  readonly subscription: SubscriptionSpec;
  /** What was thrown; anything. */
  readonly error: unknown;
  /** Where it failed: before the handler (bytes or schema) or in it. */
  readonly stage: "decode" | "handler";
  /** Runs so far, this one included: deliveries known to the transport plus retries in place. */
  readonly attempt: number;
  /** Milliseconds since the Unix epoch. */
  readonly firstFailedAtMs: number;
  readonly lastFailedAtMs: number;
}

/**
 * What happens to a failed delivery.
 *
 * - `retry`: run again in place, not before `afterMs`; the key or partition is held.
 * - `deadLetter`: store it elsewhere, then ack.
 * - `skip`: ack without having been handled; counted and logged with the reason.
 */
export type FailureDecision =
  | { readonly kind: "retry"; readonly afterMs: number; readonly errorClass: string }
  | { readonly kind: "deadLetter"; readonly errorClass: string }
  | { readonly kind: "skip"; readonly errorClass: string; readonly reason: string };

/** The `retry` stage of the failure chain: classify and decide. Synchronous; must not throw (then core retries for ever). */
export type RetryPolicy = (failure: Failure) => FailureDecision;

/**
 * The `deadLetter` stage: store the message safely. Resolves when it is stored; a rejection makes core hold the
 * delivery and call again with back-off, for as long as it takes.
 */
export type DeadLetterPolicy = (failure: Failure, errorClass: string) => Promise<void>;
