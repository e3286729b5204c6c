import type { Delivery } from "./delivery.ts";
import type { TopicPartition } from "./message.ts";

/**
 * In which order the handlers of a subscription run.
 *
 * - `partition`: one at a time per partition, in offset order.
 * - `key`: one at a time per key, in offset order; keys run at the same time (needs `@bus/aggregate`).
 * - `none`: in any order, up to the subscription's concurrency.
 */
export type Ordering = "partition" | "key" | "none";

/** A subscription as schedulers and failure policies see it. */
export interface SubscriptionSpec {
  readonly topic: string;
  readonly group: string;
  readonly ordering: Ordering;
  /** Most handlers at once with ordering `none`; schedulers of plugins have options of their own. */
  readonly concurrency: number;
  /** Options of plugins for this subscription, by plugin name; each plugin checks its own. */
  readonly plugins: Readonly<Record<string, unknown>>;
}

/** Lets a scheduler stop and restart the intake of a partition; both idempotent. */
export interface FlowControl {
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
}

/** Decides when a delivery runs. */
export interface Scheduler {
  /**
   * Take a delivery over; returns at once. Every delivery taken is passed to `run` exactly once, also when it is
   * draining by then (`run` releases it without calling the handler).
   */
  schedule(delivery: Delivery): void;
  /** Resolves when nothing is queued or running. */
  drained(): Promise<void>;
}

/**
 * The place of a running delivery among the handlers that its scheduler lets run at once.
 *
 * A delivery that waits (for its next attempt, for a destination of dead letters that is down) needs no handler: it
 * gives its slot back, and its scheduler goes on with others. What it holds in order stays held until it has settled.
 */
export interface HandlerSlot {
  /** Give the slot back; once, before `takeAgain` or the end of the run. The scheduler may start another run at once. */
  giveBack(): void;
  /**
   * Wait for a slot again, in turn with what waits for its first one; only after `giveBack`.
   *
   * @returns `true` with the slot taken; `false`, without one, as soon as `signal` has aborted. Never rejects.
   */
  takeAgain(signal: AbortSignal): Promise<boolean>;
}

/**
 * Runs a delivery to its settlement. Resolves when it has settled; never rejects. It may end with its slot given back.
 *
 * @param slot - From a scheduler that bounds how many handlers run at once; it stays the delivery's until the run ends.
 */
export type RunDelivery = (delivery: Delivery, slot?: HandlerSlot) => Promise<void>;

/** Makes the scheduler of one subscription. */
export type SchedulerFactory = (
  run: RunDelivery,
  spec: SubscriptionSpec,
  flow: FlowControl,
) => Scheduler;
