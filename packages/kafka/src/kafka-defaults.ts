import type { KafkaDriverName, ResolvedKafkaOptions } from "./kafka-options.ts";

/** Every default of `kafka()`, by option path. */
export const KAFKA_DEFAULTS: Omit<ResolvedKafkaOptions, "brokers" | "driver"> = Object.freeze({
  clientId: "bus",
  connectTimeoutMs: 30_000,
  producer: Object.freeze({
    requiredAcks: "all",
    idempotent: true,
    compression: "none",
    flushFrequencyMs: 5,
    flushMessages: 1_000,
    batchSizeBytes: 1_048_576,
    bufferMessages: 100_000,
    bufferBytes: 268_435_456,
    onFull: "wait",
    retryMax: 10,
    retryBackoffMs: 100,
    timeoutMs: 30_000,
    partitioner: "murmur2",
    maxInFlight: 5,
    maxMessageBytes: 1_048_576,
  }),
  consumer: Object.freeze({
    autoOffsetReset: "earliest",
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 3_000,
    rebalanceTimeoutMs: 60_000,
    drainTimeoutMs: 10_000,
    fetchMinBytes: 1,
    fetchMaxBytes: 52_428_800,
    fetchMaxWaitMs: 250,
    maxPartitionFetchBytes: 1_048_576,
    isolationLevel: "read_committed",
    protocol: "classic",
    commitIntervalMs: 1_000,
    commitEveryMessages: 5_000,
    maxInFlightMessages: 2_000,
    maxInFlightBytes: 67_108_864,
    maxUncommittedMessages: 20_000,
    skipUnreadable: Object.freeze([]),
  }),
  net: Object.freeze({ dialTimeoutMs: 10_000, readTimeoutMs: 30_000 }),
  topics: Object.freeze({ ensure: "validate", perTopic: Object.freeze({}) }),
  client: Object.freeze({
    common: Object.freeze({}),
    producer: Object.freeze({}),
    consumer: Object.freeze({}),
  }),
});

/** Why `consumer.maxProcessingTimeMs` is refused. */
export const HANDLER_DEADLINE =
  "the bus keeps the deadline of handlers; set maxProcessingTimeMs of createEventBus or subscribe";

/** What is otherwise with one driver. */
export interface DriverDefaults {
  readonly consumer: { readonly sessionTimeoutMs?: number };
  readonly net: { readonly readTimeoutMs?: number };
}

/** Defaults that a driver needs otherwise, in place of those in `KAFKA_DEFAULTS`. */
export const KAFKA_DRIVER_DEFAULTS: Readonly<Record<KafkaDriverName, DriverDefaults>> =
  Object.freeze({
    // A dead coordinator or a frozen broker is left only when these have passed.
    kafkajs: Object.freeze({
      consumer: Object.freeze({ sessionTimeoutMs: 12_000 }),
      net: Object.freeze({ readTimeoutMs: 10_000 }),
    }),
    confluent: Object.freeze({ consumer: Object.freeze({}), net: Object.freeze({}) }),
  });
