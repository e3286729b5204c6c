import type { Delivery } from "./delivery.ts";
import type { PublishReceipt } from "./message.ts";
import type { SubscriptionSpec } from "./scheduler.ts";
import type { TransportEvent } from "./transport.ts";

/** How a delivery ended, for counting. */
export type SettledOutcome = "ack" | "nack" | "aborted" | "dead_lettered" | "skipped";

/** State of a bus: `created → starting → running → closing → closed`. */
export type BusStatus = "created" | "starting" | "running" | "closing" | "closed";

/**
 * Hears what a bus does. Every hook is optional, synchronous and guarded: one that throws is logged and counted, never
 * felt by the message. Hooks get references to live objects and must not keep them.
 */
export interface Observer {
  published?(topic: string, receipts: readonly PublishReceipt[]): void;
  publishFailed?(topic: string, error: unknown): void;
  received?(delivery: Delivery): void;
  settled?(delivery: Delivery, subscription: SubscriptionSpec, outcome: SettledOutcome): void;
  retried?(delivery: Delivery, subscription: SubscriptionSpec, retry: RetryEvent): void;
  deadLettered?(delivery: Delivery, subscription: SubscriptionSpec, errorClass: string): void;
  deadLetterFailed?(delivery: Delivery, subscription: SubscriptionSpec, error: unknown): void;
  modeChanged?(mode: ModeEvent): void;
  statusChanged?(status: BusStatus): void;
  transport?(event: TransportEvent): void;
}

/** A retry that is about to wait. */
export interface RetryEvent {
  readonly error: unknown;
  readonly errorClass: string;
  /** The attempt that failed, 1-based. */
  readonly attempt: number;
  readonly afterMs: number;
}

/** A change of the recovery mode. */
export interface ModeEvent {
  readonly mode: "recovery" | "normal";
  readonly reason: string;
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}
