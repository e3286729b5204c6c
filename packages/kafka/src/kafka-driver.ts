import type {
  BusError,
  Delivery,
  HeaderList,
  Settlement,
  StartFrom,
  TopicDescription,
  TopicPartition,
  TopicSpec,
  TransportHost,
} from "@bus/core";
import type { DriverOptions } from "./driver-options.ts";

/**
 * What `kafkajsDriver()` and `confluentDriver()` return: a client that can be chosen, not yet created.
 *
 * Everything about a client lives behind this interface and those below; everything else (validation, partitioner,
 * buffer bound, offset tracking, in-flight gate, commits, lag, health) lives above it and is the same for all.
 *
 * Errors of a driver are `BusError`s, made by `mapKafkaError`. Nothing here throws asynchronously and no promise is
 * rejected unobserved. Time and chance come from the host.
 */
export interface KafkaDriverFactory {
  readonly kind: "kafkaDriver";
  readonly name: string;
  /** Called before anything is created. @throws BusConfigError `BUS_UNSUPPORTED` with path and value of an option that the client cannot honour, `BUS_CONFIG` for a conflict in `client`. */
  check(options: DriverOptions): void;
  /** The client's effective properties by its own names, grouped by role (`producer`, `consumer`, …). Secrets need not be masked. */
  describe(options: DriverOptions): Readonly<Record<string, unknown>>;
  /** No I/O. `host.emit` takes `connected`, `disconnected`, `reconnecting` and `warning`; the rest is emitted above the seam. */
  create(options: DriverOptions, host: TransportHost): KafkaDriver;
}

/** One client at work. */
export interface KafkaDriver {
  /**
   * Reach a broker and authenticate, once; repeating is the caller's business.
   *
   * @throws BusTransportError `BUS_AUTHENTICATION` naming the option, else `BUS_CONNECT`, after `net.dialTimeoutMs` at most.
   */
  connect(): Promise<void>;
  readonly producer: DriverProducer;
  readonly admin: DriverAdmin;
  /** A member of a group, not yet joined. Called once per group. */
  createConsumer(group: string, sink: ConsumerSink): DriverConsumer;
  /** Disconnect; consumers are closed by then. Records without an outcome are failed. Leaves no timer, socket or handle. Idempotent. */
  close(): Promise<void>;
}

/**
 * Publishes records. The driver accumulates, sends, retries and keeps deadlines; the bound of the buffer is kept above.
 */
export interface DriverProducer {
  /** Number of partitions, or `undefined` when not known (then `loadTopic`). Asked for every message: a look-up. */
  partitionCount(topic: string): number | undefined;
  /** @throws BusTransportError `BUS_TOPIC_MISSING`, `BUS_AUTHORIZATION`, or retryable ones once the metadata could not be had. */
  loadTopic(topic: string): Promise<void>;
  /**
   * Take a record over; returns at once and never throws. Records of one partition are stored in the order of these
   * calls, also across retries; an earlier record that failed for good does not hold back later ones.
   */
  send(record: OutgoingRecord): void;
  /** Send what lingers without waiting for more. Resolves when every record taken so far is settled. */
  flush(): Promise<void>;
  /** Present with `producer.transactionalId`. */
  readonly transactions?: DriverTransactions;
}

/** A message on its way to the broker. Made above the seam; the driver calls exactly one of `stored` and `failed`, once. */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: HeaderList;
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number;
  /** Bytes of key, value and headers. */
  readonly sizeBytes: number;
  /** When the publish must have ended, in `Clock.monotonicMs`. */
  readonly deadlineAtMs: number;
  /** The broker has it. `offset`: `undefined` with `requiredAcks: "none"`. */
  stored(offset: number | undefined): void;
  /** `BUS_OUTCOME_UNKNOWN` when it may have been stored, `BUS_PUBLISH_FAILED` and others when it was not. */
  failed(error: BusError): void;
}

/** Runs one transaction at a time. */
export interface DriverTransactions {
  begin(): Promise<DriverTransaction>;
}

/** An open transaction; after an error only `abort` is allowed. Errors: `BUS_FENCED` when another producer took the id over. */
export interface DriverTransaction {
  send(record: OutgoingRecord): void;
  /** Commit positions of a group as part of the transaction. */
  sendOffsets(group: string, offsets: readonly PartitionOffset[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** One topic of a consumer. */
export interface DriverTopic {
  readonly topic: string;
  readonly startFrom: StartFrom;
}

/**
 * A member of a group. It survives outages for ever: whatever the client does (crash, expulsion, dead coordinator), the
 * driver rebuilds it with the same topics and pauses, with back-off, and tells through `host.emit`.
 */
export interface DriverConsumer {
  /**
   * Read these topics from now on; the first call joins the group, a later one is one membership change. Resolves when
   * the member has joined and `sink.owned` was called. Calls do not overlap.
   *
   * @throws BusTransportError `BUS_NO_OFFSET` (an owned partition has no committed offset and its topic says `none`),
   *   `BUS_TOPIC_MISSING`, `BUS_AUTHORIZATION` and others that a retry cannot mend; then the member is out of the group.
   */
  subscribe(topics: readonly DriverTopic[]): Promise<void>;
  /** Stop fetching a partition; what is on its way may still come. Idempotent, outlasts rebalances and rebuilds until `resume`. */
  pause(partition: TopicPartition): void;
  /** Idempotent. */
  resume(partition: TopicPartition): void;
  /**
   * Read an owned partition on from another offset; one that is not owned (any more) is ignored. Records that are on
   * their way may still come. Asked for only after `sink.unreadable` or a walk that threw.
   */
  seek(position: PartitionOffset): void;
  /** Who turns fetched bytes into records. */
  readonly decoder: RecordDecoder;
  /**
   * Store positions of the group; resolves with the broker's answer. Calls do not overlap. Also called while
   * `sink.releasing` is awaited.
   *
   * @throws BusTransportError `BUS_FENCED` when this member may not commit (any more): not a failure, the next owner knows better.
   */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  /** Leave the group at once; `sink` hears nothing any more. Everything worth it was committed before. Idempotent. */
  close(): Promise<void>;
}

/** What turns the bytes of a fetch into records. */
export interface RecordDecoder {
  /** Name of the package or library. */
  readonly name: string;
  /** Why this one and not a faster one; absent when this is the best one. */
  readonly fallbackReason?: string;
}

/** What a consumer tells. All but `releasing` return at once; none throws. */
export interface ConsumerSink {
  /** Records of one partition, or word that there is nothing up to a position. Partitions that are not owned are ignored. */
  records(fetched: FetchedRecords): void;
  /**
   * Ownership of these partitions may end, and the client can wait: deliveries are drained and positions committed.
   * The driver lets go (rejoins, unassigns) only when this has resolved, which takes `consumer.drainTimeoutMs` plus a
   * commit at most; meanwhile the member stays alive (heartbeats) and `records` may be called for other partitions.
   */
  releasing(partitions: readonly TopicPartition[]): Promise<void>;
  /**
   * The complete set owned from now on, called after every change of it and before the first `records` of a new partition.
   * Partitions that it lacks are gone: their results are void.
   *
   * @returns Where to go on reading partitions that were kept through `releasing`; the driver begins there, and
   *   everywhere else at the group's committed offset (or where `startFrom` says).
   */
  owned(partitions: readonly TopicPartition[]): readonly PartitionOffset[];
  /** A partition cannot be read on from where it stands (corrupt bytes, a compression without a codec); the rest goes on. */
  unreadable(partition: TopicPartition, error: BusError): void;
  /** Ownership of these partitions ended without warning (expelled, connection lost for a session): others may own them already. */
  lost(partitions: readonly TopicPartition[]): void;
  /** The member is out and will not come back: what `subscribe` would have thrown, later. */
  ended(error: BusError): void;
}

/** Part of a partition, as one fetch brought it. Offsets are safe integers below the contract of the transport. */
export interface FetchedRecords extends TopicPartition {
  /** The offset that was asked for. */
  readonly fetchedFrom: number;
  /** Where the next fetch begins: behind the last record, and behind what is not visible (markers, aborted, compacted). */
  readonly nextPosition: number;
  /** End of what a consumer may read now: last stable offset under `read_committed`, high water mark otherwise. */
  readonly end: number;
  readonly records: RecordWalk;
}

/**
 * The records of one fetch, walked one by one and only as far as there is room; the rest waits undecoded.
 *
 * A walk stands at a record or behind the last one. `next` may throw `BUS_CORRUPT`; then the walk is over, and the
 * partition stands still at the position of the record that could not be read.
 */
export interface RecordWalk {
  /** Offset of the record at hand; −1 behind the last one. Offsets ascend. */
  readonly offset: number;
  /** Bytes of key, value and headers of the record at hand, framing included where that is cheaper to know. */
  readonly sizeBytes: number;
  /** The record at hand as a delivery: one object per message, whose fields are decoded when they are read. */
  deliver(owner: DeliveryOwner, ticket: number): OwnedDelivery;
  /** Move on. */
  next(): void;
}

/** Who made a delivery: one ownership (epoch) of one partition. */
export interface DeliveryOwner {
  readonly draining: AbortSignal;
  readonly signal: AbortSignal;
  /** Called by `OwnedDelivery.settle`. @throws Error when the delivery was settled before. */
  settle(delivery: OwnedDelivery, settlement: Settlement): void;
}

/**
 * A delivery as a driver's class makes it: `draining`, `signal` and `settle` are one-liners that ask `owner`, `attempt`
 * is 1 (Kafka does not count).
 */
export interface OwnedDelivery extends Delivery {
  /** Of the offset tracker; written by the owner alone. */
  ticket: number;
  /** The same record, unsettled, for another ownership. Called after this one was given back; may be the same object. */
  again(owner: DeliveryOwner, ticket: number): OwnedDelivery;
}

/** Topics, offsets and a sign of life. */
export interface DriverAdmin extends DriverTopics, DriverOffsets {
  /** One round trip to the cluster. @throws BusTransportError. */
  ping(): Promise<void>;
}

/** Creates and inspects topics; what a difference means is decided above. */
export interface DriverTopics {
  /** Create topics and wait until they can be used; one that exists already is no error and is left as it is. */
  createTopics(specs: readonly TopicSpec[]): Promise<void>;
  /** Those that exist; a missing topic is absent from the answer, which is no error. */
  describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]>;
  /** Missing ones are ignored. */
  deleteTopics(topics: readonly string[]): Promise<void>;
}

/** Reads positions; at most one request per call and broker. */
export interface DriverOffsets {
  /** Positions that a group has committed in these topics; partitions without one are absent. */
  committedOffsets(group: string, topics: readonly string[]): Promise<readonly PartitionOffset[]>;
  /** First and end offset of every partition; `high` follows `consumer.isolationLevel` where the client can. */
  topicOffsets(topic: string): Promise<readonly PartitionEnds[]>;
  /** First offset whose timestamp is at or after `timestampMs`; the end offset where there is none. */
  offsetsAtTime(topic: string, timestampMs: number): Promise<readonly PartitionOffset[]>;
}

/** What a partition holds. */
export interface PartitionEnds extends TopicPartition {
  /** First offset that still exists. */
  readonly low: bigint;
  /** End of what a consumer may read. */
  readonly high: bigint;
}

/** A position of a group in a partition. */
export interface PartitionOffset extends TopicPartition {
  /** The next offset to consume. */
  readonly offset: bigint;
}
