/**
 * The part of `@confluentinc/kafka-javascript` that this driver uses: its callback API.
 *
 * Own typings, because the package types what is used here as `any`. Offsets are numbers; a partition without a
 * committed offset has no `offset` at all. No constructor is ever given a second argument: even an empty one makes the
 * client forget settings such as `auto.offset.reset`.
 */
export interface ConfluentModule {
  readonly Producer: new (properties: NativeProperties) => NativeProducer;
  readonly KafkaConsumer: new (properties: NativeProperties) => NativeConsumer;
  readonly AdminClient: {
    create(properties: NativeProperties, listeners: Partial<NativeListeners>): NativeAdmin;
  };
  readonly librdkafkaVersion: string;
}

/** Settings by librdkafka's names, and callbacks. */
export type NativeProperties = Readonly<Record<string, unknown>>;

/** Calls back once, with an error or an answer. */
export type NativeCallback<TAnswer> = (
  error: NativeError | null | undefined,
  answer: TAnswer,
) => void;

/** An error of the client. `code`: of the Kafka protocol when ≥ −1, of librdkafka below −100. */
export interface NativeError extends Error {
  readonly code: number;
  readonly isFatal?: boolean;
  readonly isRetriable?: boolean;
  readonly isTxnRequiresAbort?: boolean;
}

/** A partition, with a position where one is known or asked for. */
export interface NativePosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset?: number;
  readonly metadata?: string;
}

/** A partition of which everything visible was read. */
export interface NativeEof {
  readonly topic: string;
  readonly partition: number;
  /** Where the next record will be. */
  readonly offset: number;
}

/** A record as it was read. */
export interface NativeMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Bytes of the value. */
  readonly size: number;
  /** One object with one property per header. */
  readonly headers?: readonly Readonly<Record<string, Buffer>>[];
}

/** What became of a record that was produced. */
export interface NativeReport {
  readonly opaque: unknown;
  readonly offset: number;
}

/** A line of librdkafka's log. */
export interface NativeLog {
  /** Severity of syslog: 3 error, 4 warning, 6 information. */
  readonly severity: number;
  /** What it is about; `FAIL`: a connection failed. */
  readonly fac: string;
  readonly message: string;
}

/** Events by name. An `error` without a listener ends the process. */
export interface NativeListeners {
  readonly error: (error: Error) => void;
  readonly "event.error": (error: NativeError) => void;
  readonly "event.log": (log: NativeLog) => void;
  readonly "event.stats": (statistics: { readonly message: string }) => void;
  readonly "delivery-report": (error: NativeError | null, report: NativeReport) => void;
  readonly "offset.commit": (
    error: NativeError | undefined,
    positions: readonly NativePosition[],
  ) => void;
  readonly "partition.eof": (eof: NativeEof) => void;
}

/** What is asked of `getMetadata`; a topic is only looked up with `allTopics: false`. */
export interface NativeMetadataQuery {
  readonly topic?: string;
  readonly allTopics: false;
  readonly timeout: number;
}

/** The brokers' answer; a topic that is missing or refused has no partitions. */
export interface NativeMetadata {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly id: number; readonly leader: number }[];
  }[];
}

/** What every client has. */
export interface NativeClient {
  on<TName extends keyof NativeListeners>(name: TName, listener: NativeListeners[TName]): unknown;
  removeAllListeners(): unknown;
  getMetadata(query: NativeMetadataQuery, callback: NativeCallback<NativeMetadata>): unknown;
}

/** A producer. */
export interface NativeProducer extends NativeClient {
  connect(query: NativeMetadataQuery, callback: NativeCallback<unknown>): unknown;
  setPollInBackground(isOn: boolean): unknown;
  /** @throws NativeError, at once: the queue is full (−184), the record too large (10), the partition unknown (−190). */
  produce(...record: NativeProduceArguments): unknown;
  flush(timeoutMs: number, callback: (error?: NativeError) => void): unknown;
  /** Flushes first. @throws Error when the client is not connected. */
  disconnect(flushTimeoutMs: number, callback: () => void): unknown;
  initTransactions(timeoutMs: number, callback: NativeCallback<void>): unknown;
  beginTransaction(callback: NativeCallback<void>): unknown;
  commitTransaction(timeoutMs: number, callback: NativeCallback<void>): unknown;
  abortTransaction(timeoutMs: number, callback: NativeCallback<void>): unknown;
  sendOffsetsToTransaction(...offsets: NativeSendOffsetsArguments): unknown;
}

/** Arguments of `produce`; `opaque` comes back in the delivery report. */
export type NativeProduceArguments = readonly [
  topic: string,
  partition: number,
  value: Uint8Array | null,
  key: Uint8Array | null,
  timestampMs: number,
  opaque: unknown,
  headers?: readonly Readonly<Record<string, Uint8Array | string>>[],
];

/** Arguments of `sendOffsetsToTransaction`. */
export type NativeSendOffsetsArguments = readonly [
  offsets: readonly NativePosition[],
  consumer: NativeConsumer,
  timeoutMs: number,
  callback: NativeCallback<void>,
];

/** Arguments of `queryWatermarkOffsets`. */
export type NativeWatermarkArguments = readonly [
  topic: string,
  partition: number,
  timeoutMs: number,
  callback: NativeCallback<{ readonly highOffset: number }>,
];

/** A member of a group. */
export interface NativeConsumer extends NativeClient {
  connect(query: NativeMetadataQuery, callback: NativeCallback<unknown>): unknown;
  /** @throws NativeError. */
  subscribe(topics: readonly string[]): unknown;
  unsubscribe(): unknown;
  setDefaultConsumeTimeout(timeoutMs: number): void;
  setDefaultIsTimeoutOnlyForFirstMessage(isOnly: boolean): void;
  consume(count: number, callback: NativeCallback<readonly NativeMessage[]>): void;
  /** Hand positions over to be committed; what became of it is told by `offset.commit` alone. @throws NativeError. */
  commit(positions: readonly NativePosition[]): unknown;
  committed(
    partitions: readonly NativePosition[],
    timeoutMs: number,
    callback: NativeCallback<readonly NativePosition[]>,
  ): unknown;
  assign(positions: readonly NativePosition[]): unknown;
  unassign(): unknown;
  incrementalAssign(positions: readonly NativePosition[]): unknown;
  incrementalUnassign(partitions: readonly NativePosition[]): unknown;
  /** Only true inside a rebalance callback. */
  assignmentLost(): boolean;
  rebalanceProtocol(): string;
  pause(partitions: readonly NativePosition[]): unknown;
  resume(partitions: readonly NativePosition[]): unknown;
  /** Read an assigned partition from `offset` on; what was fetched ahead of it is dropped. */
  seek(
    position: NativePosition,
    timeoutMs: number,
    callback: (error?: NativeError) => void,
  ): unknown;
  /** Asks the leader; the end follows `isolation.level`. */
  queryWatermarkOffsets(...query: NativeWatermarkArguments): unknown;
  /** What the last fetch said. @throws Error while nothing is known. */
  getWatermarkOffsets(topic: string, partition: number): { readonly highOffset: number };
  /** @throws Error when the client is not connected. */
  disconnect(callback: () => void): unknown;
}

/** Asks about topics. It has no method to read settings of topics, and none that reads positions of groups safely. */
export interface NativeAdmin extends NativeClient {
  createTopic(topic: NativeNewTopic, timeoutMs: number, callback: NativeCallback<void>): unknown;
  deleteTopic(topic: string, timeoutMs: number, callback: NativeCallback<void>): unknown;
  describeTopics(
    topics: readonly string[],
    options: { timeout: number },
    callback: NativeCallback<readonly NativeTopic[]>,
  ): unknown;
  listOffsets(
    partitions: readonly NativeOffsetQuery[],
    options: { timeout: number; isolationLevel: number },
    callback: NativeCallback<readonly NativeListedOffset[]>,
  ): unknown;
  /** Takes effect at once; waits, with the event loop, for calls that are still running. */
  disconnect(): void;
}

/** A topic to create; −1: the broker's default. */
export interface NativeNewTopic {
  readonly topic: string;
  readonly num_partitions: number;
  readonly replication_factor: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** A topic as it is. */
export interface NativeTopic {
  readonly name: string;
  readonly error?: { readonly code: number; readonly message: string };
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader?: { readonly id: number };
    readonly replicas: readonly unknown[];
  }[];
}

/** A question for an offset; `timestamp`: −1 the end, −2 the first. */
export interface NativeOffsetQuery {
  readonly topic: string;
  readonly partition: number;
  readonly offset: { readonly timestamp: number };
}

/** Its answer; `offset` is −1 when no record is that young. */
export interface NativeListedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly error?: { readonly code: number; readonly message: string };
}
