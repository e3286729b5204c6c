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

/** Runs a delivery to its settlement. Resolves when it has settled; never rejects. */
export type RunDelivery = (delivery: Delivery) => Promise<void>;

/** Makes the scheduler of one subscription. */
export type SchedulerFactory = (
  run: RunDelivery,
  spec: SubscriptionSpec,
  flow: FlowControl,
) => Scheduler;
