import type { Handler } from "./handler.ts";
import type { Ordering } from "./scheduler.ts";
import type { Topic } from "./topic.ts";
import type { StartFrom } from "./transport.ts";

/** How a subscription is handled. */
export interface SubscribeOptions {
  /** Consumer group; the bus's `group` when absent. */
  readonly group?: string;
  /** @defaultValue "partition" */
  readonly ordering?: Ordering;
  /** Most handlers at once with ordering `none`, ≥ 1. @defaultValue 64 */
  readonly concurrency?: number;
  /** Where to begin without a committed offset. @defaultValue the transport's setting */
  readonly startFrom?: StartFrom;
  /** Deadline of one handler run in milliseconds: then its signal aborts, it is counted and alarmed. @defaultValue 300_000 */
  readonly maxProcessingTimeMs?: number;
  /** Options of plugins for this subscription, by plugin name, for example `{ aggregate: { … } }`. */
  readonly plugins?: Readonly<Record<string, unknown>>;
}

/** A registered handler. */
export interface Subscription {
  readonly topic: string;
  readonly group: string;
  /** Let running handlers finish, then leave the topic; `hold: true` keeps it assigned, unread and uncommitted. Idempotent. */
  close(options?: { readonly hold?: boolean }): Promise<void>;
}

/** Registers a handler for a topic, or for a topic name whose values are bytes. */
export type SubscribeFunction = <TValue>(
  topic: Topic<TValue, never> | string,
  handler: Handler<TValue>,
  options?: SubscribeOptions,
) => Promise<Subscription>;
