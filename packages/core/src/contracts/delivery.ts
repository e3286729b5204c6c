import type { IncomingMessage } from "./message.ts";

/**
 * How a delivery ended. The transport learns it exactly once for every delivery that it made.
 *
 * - `ack`: the handler succeeded, or the message is safely stored elsewhere; its offset may be committed.
 * - `nack`: not handled; deliver it again, never earlier than `redeliverAfterMs` from now, `attempt` one higher.
 * - `release`: not handled because ownership ends (revoked partition, closing bus). It is not a failure: the message
 *   is neither acknowledged nor counted as an attempt, and whoever owns the partition next receives it.
 */
export type Settlement =
  | { readonly kind: "ack" }
  | { readonly kind: "nack"; readonly redeliverAfterMs: number }
  | { readonly kind: "release" };

/** The settlement of a handled message; shared, so that the hot path allocates nothing. */
export const ACK: Settlement = Object.freeze({ kind: "ack" });

/** The settlement of a message given back unhandled; shared, so that the hot path allocates nothing. */
export const RELEASE: Settlement = Object.freeze({ kind: "release" });

/** One object per message, made by the transport: the message, its ticket and its settlement. */
export interface Delivery extends IncomingMessage {
  /** 1 for the first delivery; counts redeliveries as far as the transport knows them. */
  readonly attempt: number;
  /** Size of key, value and headers as counted by the in-flight gate. */
  readonly sizeBytes: number;
  /**
   * Aborts when ownership is about to end (partition being revoked, bus closing): what has not started must be
   * released, waits before a retry end, running handlers go on. One signal per partition and epoch.
   */
  readonly draining: AbortSignal;
  /**
   * Aborts when running handlers must stop: the drain budget is over or ownership is lost. A settlement after this
   * is accepted and ignored. One signal per partition and epoch; never aborts before `draining`.
   */
  readonly signal: AbortSignal;
  /** Ends the delivery. Called exactly once, by core only; a second call is a defect and throws. */
  settle(settlement: Settlement): void;
}

/** Receives deliveries from a transport, in offset order per partition. Returns at once and never throws. */
export type Deliver = (delivery: Delivery) => void;
