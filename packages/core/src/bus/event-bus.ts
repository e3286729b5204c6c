import type { BatchLimits } from "../consume/batch-scheduler.ts";
import type { BatchHandler, Handler, HandlerContext, Message } from "../contracts/handler.ts";
import type { BusHealth, HealthCheck } from "../contracts/health.ts";
import type { Instruments } from "../contracts/instruments.ts";
import type { GroupLag, LagQuery } from "../contracts/lag.ts";
import type { PublishReceipt } from "../contracts/message.ts";
import type { BusStatus, Observer } from "../contracts/observer.ts";
import type { SubscribeOptions, Subscription } from "../contracts/subscribe.ts";
import type { Topic } from "../contracts/topic.ts";
import type { CloseReport } from "../contracts/transport.ts";
import type { PublishOptions } from "../publish/encode-message.ts";
import type { BusInspection } from "./bus-inspection.ts";

/** A topic, or the name of one whose values are bytes (`null` is a tombstone). */
export type TopicOrName<TValue, TInput> =
  | Topic<TValue, TInput>
  | (Uint8Array extends TInput ? string : never);

/** Publishes values. */
export interface BusPublisher {
  /**
   * Publish one value; resolves when the broker has acknowledged it.
   *
   * @throws BusConfigError `BUS_ENCODE`, `BUS_INVALID_MESSAGE`; BusHandlerError `BUS_SCHEMA`: nothing was sent.
   * @throws BusTransportError `BUS_MESSAGE_TOO_LARGE`, `BUS_BUFFER_FULL`, `BUS_PUBLISH_FAILED`, `BUS_OUTCOME_UNKNOWN`.
   * @throws BusClosedError `BUS_CLOSED` once the bus has stopped publishing.
   */
  publish<TInput>(
    topic: Topic<unknown, TInput>,
    value: TInput,
    options?: PublishOptions,
  ): Promise<PublishReceipt>;
  publish(
    topic: string,
    value: Uint8Array | null,
    options?: PublishOptions,
  ): Promise<PublishReceipt>;
  /**
   * Publish many values in one call, in this order per key.
   *
   * @throws BusTransportError `BUS_PUBLISH_PARTIAL` when some were not stored: `publishOutcomesOf(error)` tells which.
   */
  publishMany<TInput>(
    topic: Topic<unknown, TInput>,
    values: readonly TInput[],
    options?: Omit<PublishOptions, "key" | "partition">,
  ): Promise<readonly PublishReceipt[]>;
}

/** How batches are made. */
export interface SubscribeBatchOptions
  extends Omit<SubscribeOptions, "ordering" | "concurrency">, Partial<BatchLimits> {}

/** An open transaction of a bus. */
export interface BusTransaction extends BusPublisher {
  /**
   * Commit the position after this message with the transaction: it is then handled exactly once, together with what
   * the transaction publishes.
   *
   * @param message - What the handler was given; its subscription must have ordering `partition`.
   * @throws BusConfigError `BUS_UNSUPPORTED` for another ordering, `BUS_CONFIG` for a message of another bus.
   */
  consumed(message: Message<unknown>): void;
}

/** Runs transactions. */
export interface BusTransactions {
  /**
   * Publish messages, and commit the positions of consumed ones, together or not at all: commits when `body` resolves,
   * aborts when it rejects. Consumers that read committed messages never see an aborted one.
   *
   * @throws BusConfigError `BUS_UNSUPPORTED` when the transport has no transactions; BusTransportError `BUS_FENCED`
   *   when another process with the same transactional id took over. What `body` throws passes through.
   */
  transaction<TResult>(body: (transaction: BusTransaction) => Promise<TResult>): Promise<TResult>;
}

/** A message of a stream; it is acknowledged when the next one is asked for. */
export interface StreamedMessage<TValue> {
  readonly message: Message<TValue>;
  readonly context: HandlerContext;
}

/** Receives values. */
export interface BusSubscriber {
  /**
   * Handle a topic. Before `start` it registers, after it joins; resolves once the member has the topic.
   *
   * @throws BusConfigError `BUS_CONFIG`: no group, an unknown option, a second handler for a topic in one group;
   *   `BUS_SERVICE_MISSING`: ordering `key` without `@bus/aggregate`.
   */
  subscribe<TValue>(
    topic: Topic<TValue, never>,
    handler: Handler<TValue>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  subscribe(
    topic: string,
    handler: Handler<Uint8Array | null>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** Handle a topic in batches of one partition, in offset order; one batch of a partition at a time. */
  subscribeBatch<TValue>(
    topic: Topic<TValue, never>,
    handler: BatchHandler<TValue>,
    options?: SubscribeBatchOptions,
  ): Promise<Subscription>;
  /**
   * Iterate over a topic. A message is acknowledged when the next one is asked for; leaving the loop early gives the
   * current one back unacknowledged.
   */
  stream<TValue>(
    topic: Topic<TValue, never>,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<StreamedMessage<TValue>>;
}

/** Watches a bus. */
export interface BusOperations {
  readonly status: BusStatus;
  readonly instruments: Instruments;
  health(): Promise<BusHealth>;
  addHealthCheck(check: HealthCheck): void;
  observe(observer: Observer): void;
  /** Effective configuration, secrets masked; the transport's part shows the client property that each option became. */
  describe(): Readonly<Record<string, unknown>>;
  inspect(): BusInspection;
  /**
   * How far a group is behind, partition by partition.
   *
   * @param query - The bus's own group and all topics that it handles in that group, unless said otherwise.
   * @throws BusConfigError `BUS_UNSUPPORTED` when the transport has no lag reader, `BUS_CONFIG` without a group.
   */
  lag(query?: Partial<LagQuery>): Promise<GroupLag>;
}

/** Starts and ends a bus. */
export interface BusLifecycle extends AsyncDisposable {
  /**
   * Connect and join every group once, with all its topics. Idempotent.
   *
   * @throws BusTransportError `BUS_CONNECT`, `BUS_AUTHENTICATION`, `BUS_TOPIC_MISSING`, `BUS_NO_OFFSET`; the bus is closed then.
   */
  start(): Promise<void>;
  /**
   * Stop intake → let running handlers finish → settle → commit → leave → disconnect. Idempotent: every call returns
   * the same outcome. Publishing works until the handlers have ended.
   *
   * @returns How many deliveries had not settled at the deadline, running or queued behind one that runs; they stay
   * unacknowledged and come again.
   */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<CloseReport>;
}

/** An event bus; plugins add their own members. */
export interface EventBus
  extends BusPublisher, BusSubscriber, BusTransactions, BusOperations, BusLifecycle {}
