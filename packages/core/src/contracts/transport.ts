import type { Clock } from "./clock.ts";
import type { Deliver } from "./delivery.ts";
import type { HealthReport } from "./health.ts";
import type { Instruments } from "./instruments.ts";
import type { LagReader } from "./lag.ts";
import type { Logger } from "./logger.ts";
import type { OutgoingMessage, PublishReceipt, TopicPartition } from "./message.ts";
import type { TopicAdmin } from "./topic-admin.ts";
import type { TransactionRunner } from "./transaction.ts";

/** Publishes bytes. */
export interface Publisher {
  /**
   * Store messages; resolves when the broker has acknowledged every one of them.
   *
   * @param messages - Messages of one key keep the order of this list and of earlier calls, also across retries.
   * @returns One receipt per message, in the order of `messages`.
   * @throws BusError when at least one message failed; of several messages `BUS_PUBLISH_PARTIAL`, and `publishOutcomesOf(error)` tells for each whether it was stored,
   *   rejected, or its outcome is unknown (`BUS_OUTCOME_UNKNOWN`: the deadline passed after hand-over).
   * @throws BusClosedError `BUS_CLOSED` once `close()` has begun.
   */
  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]>;
}

/** Where a group without a committed offset begins; `none` is an error that consumes nothing. */
export type StartFrom = "earliest" | "latest" | "none";

/** One topic in a subscription request. */
export interface TopicSubscription {
  readonly topic: string;
  /** The transport's configured default when absent. */
  readonly startFrom?: StartFrom;
  /** A held topic is assigned but not read and not committed: it has no handler yet. */
  readonly held?: boolean;
}

/** Everything a process subscribes within one group: a process is one member of a group by construction. */
export interface SubscriptionRequest {
  readonly group: string;
  readonly topics: readonly TopicSubscription[];
  /**
   * The group is for this subscription alone: nobody else joins it and nobody comes back to it, so that a transport
   * keeps nothing of it. @defaultValue false
   */
  readonly transient?: boolean;
}

/** What a partition that this member owns is doing; for `inspect`, health and gauges. */
export interface PartitionState extends TopicPartition {
  /** Delivered and not yet settled. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Next offset to read after a restart; `undefined` before this member committed or learnt one. */
  readonly committedOffset: bigint | undefined;
  /** The unsettled delivery that holds the commit back, and since when it was delivered. */
  readonly oldestUnsettled:
    | { readonly offset: bigint; readonly deliveredAtMs: number; readonly timestampMs: number }
    | undefined;
  /** Why the partition is not being read now; empty while it is. */
  readonly pausedBy: readonly PauseReason[];
}

/** Why a partition is not being read: its share of the in-flight bound, a scheduler, too much settled behind an unsettled message, a missing handler. */
export type PauseReason = "inFlight" | "scheduler" | "uncommitted" | "held";

/** A running membership in a group. */
export interface TransportSubscription {
  /** Replace the set of topics; one membership change at most. Removed topics are drained and committed first. */
  update(topics: readonly TopicSubscription[]): Promise<void>;
  /** Stop reading a partition; deliveries already made stay valid. Idempotent; survives a rebalance that keeps the partition. */
  pause(partition: TopicPartition): void;
  /** Undo `pause`; the transport may still keep the partition paused for reasons of its own. Idempotent. */
  resume(partition: TopicPartition): void;
  /** The partitions owned now. */
  partitions(): readonly PartitionState[];
  /** Drain (abort `draining`, wait up to the budget, abort `signal`), commit, leave the group. Idempotent. */
  close(options: CloseOptions): Promise<CloseReport>;
}

/** Receives messages. */
export interface Subscriber {
  /**
   * Join a group with all its topics and deliver until closed, surviving outages for ever.
   *
   * Deliveries of a partition come in offset order, without waiting for earlier ones to settle, within the in-flight
   * bound; only the contiguous prefix of settled offsets is committed. Resolves when the member has joined.
   *
   * @throws BusTransportError `BUS_TOPIC_MISSING`, `BUS_NO_OFFSET` and others that a retry cannot mend.
   */
  subscribe(request: SubscriptionRequest, deliver: Deliver): Promise<TransportSubscription>;
}

/** How long `close` may wait for running handlers, in milliseconds. */
export interface CloseOptions {
  readonly drainTimeoutMs: number;
}

/** What a close left behind. */
export interface CloseReport {
  /** Deliveries that had not settled when the deadline passed, running or queued; they will be delivered again. */
  readonly abandonedDeliveries: number;
}

/** What a message may be relied on to keep on its way to the handlers of one group. */
export type TransportOrdering = "partition" | "none";

/** A capability is the object that provides it; an absent one is not there, and who needs it fails at install. */
export interface Capabilities {
  readonly ordering: TransportOrdering;
  /** Present when `nack` with a delay is honoured; the longest delay in milliseconds that it can carry. */
  readonly delayedRedelivery?: { readonly maxDelayMs: number };
  readonly lag?: LagReader;
  readonly topics?: TopicAdmin;
  readonly transactions?: TransactionRunner;
  /** State of connections and subscriptions for `bus.health()`. */
  readonly health?: { report(): HealthReport };
  /** One round trip to the broker; rejects when it does not answer. */
  readonly ping?: { ping(signal: AbortSignal): Promise<void> };
  /**
   * For how long a group waits for a member that is silent before it gives its partitions to others. What blocks the
   * event loop for longer costs the membership, so health tells of a block that lasts a third of it.
   */
  readonly membership?: { readonly sessionTimeoutMs: number };
  /** The effective settings of the underlying client, by the client's own property names; secrets masked. */
  readonly description?: { describe(): Readonly<Record<string, unknown>> };
}

/** A message system behind one interface. Both life-cycle verbs are idempotent. */
export interface Transport extends Publisher, Subscriber {
  readonly name: string;
  readonly capabilities: Capabilities;
  /**
   * Reach the broker and check the configuration against it.
   *
   * @throws BusTransportError `BUS_AUTHENTICATION`, `BUS_CONNECT`: fails within the connect deadline.
   */
  connect(): Promise<void>;
  /** Flush what was accepted, close subscriptions that are still open, disconnect. Leaves no timer, socket or handle. */
  close(options: CloseOptions): Promise<CloseReport>;
}

/**
 * Something that happened in a transport; goes to observers, health and the log.
 *
 * `rebalancing` lasts until the next `assigned` of the group, which comes also when nothing was added (then without
 * partitions); a membership that was lost without warning (`revoked`, `lost`) is being built anew until then.
 */
export type TransportEvent =
  | { readonly kind: "connected" }
  | { readonly kind: "disconnected"; readonly error: unknown }
  | { readonly kind: "reconnecting"; readonly attempt: number; readonly error: unknown }
  | { readonly kind: "rebalancing"; readonly group: string }
  | {
      readonly kind: "assigned";
      readonly group: string;
      readonly partitions: readonly TopicPartition[];
    }
  | {
      readonly kind: "revoked";
      readonly group: string;
      readonly partitions: readonly TopicPartition[];
      readonly lost: boolean;
    }
  | {
      readonly kind: "committed";
      readonly group: string;
      readonly durationMs: number;
      readonly partitions: number;
    }
  | { readonly kind: "commitFailed"; readonly group: string; readonly error: unknown }
  | {
      readonly kind: "duplicateDropped";
      readonly group: string;
      readonly topic: string;
      readonly partition: number;
      readonly count: number;
    }
  | { readonly kind: "subscriptionEnded"; readonly group: string; readonly error: unknown }
  | {
      readonly kind: "warning";
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };

/** What core lends to a transport: time, randomness, log, instruments, and an ear for its events. */
export interface TransportHost {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** Uniform in [0, 1); seeded in tests. */
  readonly random: () => number;
  readonly emit: (event: TransportEvent) => void;
}

/** A transport with checked options, ready to be created by a bus. Made by the callable that `defineTransport` returns. */
export interface ConfiguredTransport {
  readonly kind: "transport";
  readonly name: string;
  /** Effective options (defaults applied) for `describe()`. */
  readonly options: Readonly<Record<string, unknown>>;
  create(host: TransportHost): Transport;
}
