import type { TopicPartition } from "@bus/core";

/** Compression of record batches. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/**
 * How a key becomes a partition, the same with every driver. `murmur2`: Kafka's Java client, kafkajs; `fnv1a`: Sarama's
 * hash partitioner; a function: its result must be an integer from 0 to `partitions − 1`.
 */
export type Partitioner = "murmur2" | "fnv1a" | ((key: Uint8Array, partitions: number) => number);

/** Options of producers. */
export interface ProducerOptions {
  /** Who must have a message before it counts as stored. `none`: nobody is asked, receipts have no offset. @defaultValue "all" (Kafka `acks`) */
  readonly requiredAcks?: "none" | "leader" | "all";
  /** Retries of the producer make no duplicates; needs `requiredAcks: "all"`. @defaultValue true (Kafka `enable.idempotence`) */
  readonly idempotent?: boolean;
  /** @defaultValue "none" (Kafka `compression.type`) */
  readonly compression?: Compression;
  /** Level of the codec; the codec's own when absent. (Kafka `compression.<codec>.level`) */
  readonly compressionLevel?: number;
  /** How long a batch waits for more messages, ≥ 0. @defaultValue 5 (Kafka `linger.ms`) */
  readonly flushFrequencyMs?: number;
  /** Messages at which a batch is closed, ≥ 1. @defaultValue 1_000 (librdkafka `batch.num.messages`) */
  readonly flushMessages?: number;
  /** Bytes at which a batch is closed, ≥ 1. @defaultValue 1_048_576 (Kafka `batch.size`) */
  readonly batchSizeBytes?: number;
  /** Messages accepted and not yet acknowledged; beyond, `onFull` decides. ≥ 1. @defaultValue 100_000 (librdkafka `queue.buffering.max.messages`) */
  readonly bufferMessages?: number;
  /** Bytes accepted and not yet acknowledged, ≥ 1. @defaultValue 268_435_456 (Kafka `buffer.memory`) */
  readonly bufferBytes?: number;
  /** `wait`: `publish` waits for room, at most `timeoutMs`; `reject`: it fails with `BUS_BUFFER_FULL`. @defaultValue "wait" */
  readonly onFull?: "wait" | "reject";
  /** Retries of a batch after the first attempt, ≥ 0. @defaultValue 10 (Kafka `retries`) */
  readonly retryMax?: number;
  /** Wait before the first retry; doubles up to 32 times of it, with jitter. ≥ 1. @defaultValue 100 (Kafka `retry.backoff.ms`) */
  readonly retryBackoffMs?: number;
  /** Deadline of a publish from the call to the acknowledgement, ≥ 1. @defaultValue 30_000 (Kafka `delivery.timeout.ms`) */
  readonly timeoutMs?: number;
  /** @defaultValue "murmur2" (Kafka `partitioner.class`) */
  readonly partitioner?: Partitioner;
  /** Produce requests in flight per broker, 1 to 5 with `idempotent`; never two of one partition. @defaultValue 5 (Kafka `max.in.flight.requests.per.connection`) */
  readonly maxInFlight?: number;
  /** Largest message (key, value, headers); larger ones are rejected before sending. ≥ 1. @defaultValue 1_048_576 (Kafka `max.request.size`, topic `max.message.bytes`) */
  readonly maxMessageBytes?: number;
  /** Makes the `transactions` capability available; one process per id at a time. (Kafka `transactional.id`) */
  readonly transactionalId?: string;
}

/** Options of consumers. */
export interface ConsumerOptions {
  /** Where a group without a committed offset begins; `none`: an error, nothing is consumed. @defaultValue "earliest" (Kafka `auto.offset.reset`) */
  readonly autoOffsetReset?: "earliest" | "latest" | "none";
  /** How long a member may be silent before it is expelled. @defaultValue 30_000, with kafkajs 12_000 (Kafka `session.timeout.ms`) */
  readonly sessionTimeoutMs?: number;
  /** Less than a third of `sessionTimeoutMs`. @defaultValue 3_000 (Kafka `heartbeat.interval.ms`) */
  readonly heartbeatIntervalMs?: number;
  /** How long a rebalance waits for a member to rejoin. @defaultValue 60_000 (Kafka `rebalance.timeout.ms`, in librdkafka `max.poll.interval.ms`) */
  readonly rebalanceTimeoutMs?: number;
  /** How long running handlers may keep a rebalance waiting, at most half of `rebalanceTimeoutMs`. @defaultValue 10_000 */
  readonly drainTimeoutMs?: number;
  /** Deadline of a handler; the bus keeps it (`createEventBus`, `subscribe`), so giving it here is `BUS_UNSUPPORTED`. */
  readonly maxProcessingTimeMs?: number;
  /** @defaultValue 1 (Kafka `fetch.min.bytes`) */
  readonly fetchMinBytes?: number;
  /** @defaultValue 52_428_800 (Kafka `fetch.max.bytes`) */
  readonly fetchMaxBytes?: number;
  /** How long the broker may hold a fetch back to reach `fetchMinBytes`, ≥ 1. @defaultValue 250 (Kafka `fetch.max.wait.ms`) */
  readonly fetchMaxWaitMs?: number;
  /** @defaultValue 1_048_576 (Kafka `max.partition.fetch.bytes`) */
  readonly maxPartitionFetchBytes?: number;
  /** @defaultValue "read_committed" (Kafka `isolation.level`) */
  readonly isolationLevel?: "read_committed" | "read_uncommitted";
  /** How partitions are divided; the driver's best when absent. (Kafka `partition.assignment.strategy`) */
  readonly assignor?: "roundrobin" | "range" | "cooperative-sticky";
  /** `consumer`: the broker divides partitions (KIP-848), needs Kafka ≥ 4.0. @defaultValue "classic" (Kafka `group.protocol`) */
  readonly protocol?: "classic" | "consumer";
  /** Static membership. (Kafka `group.instance.id`) */
  readonly groupInstanceId?: string;
  /** Longest time between a settlement and its commit, ≥ 1. @defaultValue 1_000 (Kafka `auto.commit.interval.ms`) */
  readonly commitIntervalMs?: number;
  /** Settlements after which a commit is made at once, ≥ 1. @defaultValue 5_000 */
  readonly commitEveryMessages?: number;
  /** Messages delivered and not yet settled, per group member, ≥ 1. @defaultValue 2_000 */
  readonly maxInFlightMessages?: number;
  /** Bytes delivered and not yet settled, per group member, ≥ 1. @defaultValue 67_108_864 */
  readonly maxInFlightBytes?: number;
  /** Settled messages of a partition that may wait behind an unsettled one, ≥ 1; beyond, it pauses. @defaultValue 20_000 */
  readonly maxUncommittedMessages?: number;
  /**
   * What may be lost: records that cannot be read (corrupt, or compressed in a way that this client does not know) and
   * that their partition is not to wait for any longer. Offsets outside are never passed over. @defaultValue []
   */
  readonly skipUnreadable?: readonly UnreadableRange[];
}

/** Offsets of one partition that may be passed over when they cannot be read. */
export interface UnreadableRange extends TopicPartition {
  /** The offset at which the partition stands still, as health and the warning tell it, or one below. */
  readonly from: number;
  /** Where to go on; at most the end of the partition. */
  readonly to: number;
}

/** TLS of every connection; present means that nothing is ever sent in plain text. */
export interface TlsOptions {
  /** PEM of the authorities to trust; the system's when absent. (Kafka `ssl.truststore.certificates`) */
  readonly ca?: string;
  /** PEM of the client's certificate chain. (Kafka `ssl.keystore.certificate.chain`) */
  readonly cert?: string;
  /** PEM of the client's private key. (Kafka `ssl.keystore.key`) */
  readonly key?: string;
  /** Passphrase of `key`. (Kafka `ssl.key.password`) */
  readonly passphrase?: string;
  /** Name that the broker's certificate must carry; the host of its address when absent. */
  readonly servername?: string;
  /** `false` accepts any certificate: for tests only. @defaultValue true */
  readonly rejectUnauthorized?: boolean;
}

/** A token for SASL/OAUTHBEARER. */
export interface OauthToken {
  readonly value: string;
  /** When it ends, milliseconds since the Unix epoch; one hour from now when absent. */
  readonly expiresAtMs?: number;
  readonly principal?: string;
  readonly extensions?: Readonly<Record<string, string>>;
}

/** Who the client is. */
export type SaslOptions =
  | {
      readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: "oauthbearer"; readonly provider: () => Promise<OauthToken> };

/** Options of connections. */
export interface NetOptions {
  /** Longest time to open a connection, ≥ 1. @defaultValue 10_000 (Kafka `socket.connection.setup.timeout.ms`) */
  readonly dialTimeoutMs?: number;
  /** Longest time to wait for an answer, ≥ 1. @defaultValue 30_000, with kafkajs 10_000 (Kafka `request.timeout.ms`, librdkafka `socket.timeout.ms`) */
  readonly readTimeoutMs?: number;
  /** Longest time to write a request; no driver has such a setting, so giving it is `BUS_UNSUPPORTED`. */
  readonly writeTimeoutMs?: number;
  readonly tls?: TlsOptions;
  readonly sasl?: SaslOptions;
}

/** How one topic should be. */
export interface TopicSettings {
  /** Number of partitions; the broker's default when absent. (Kafka `num.partitions`) */
  readonly partitions?: number;
  /** Replicas of each partition; the broker's default when absent. (Kafka `default.replication.factor`) */
  readonly replicationFactor?: number;
  /** Topic settings by Kafka's own names. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Options of topics. */
export interface TopicsOptions extends TopicSettings {
  /**
   * What is done before a topic is first used. `skip`: nothing; `validate`: it must exist, and drift from the settings
   * here is reported; `create`: a missing one is created. Existing topics are never changed. @defaultValue "validate"
   */
  readonly ensure?: "skip" | "validate" | "create";
  /** Settings of single topics by name, in place of those above. */
  readonly perTopic?: Readonly<Record<string, TopicSettings>>;
}

/**
 * Options of the underlying client by its own property names, verbatim. They win over what a driver sets by itself; a
 * property that an option of this package already sets is `BUS_CONFIG`.
 */
export interface ClientOptions {
  /** For every client: kafkajs `new Kafka({ … })`, librdkafka's global properties. */
  readonly common?: Readonly<Record<string, unknown>>;
  readonly producer?: Readonly<Record<string, unknown>>;
  readonly consumer?: Readonly<Record<string, unknown>>;
}

/** `TOptions` with every member present but those of `TOptional`, which have no default. */
type Resolved<TOptions, TOptional extends keyof TOptions = never> = Required<
  Omit<TOptions, TOptional>
> &
  Pick<TOptions, TOptional>;

/** Options of producers, defaults applied. */
export type ResolvedProducerOptions = Resolved<
  ProducerOptions,
  "compressionLevel" | "transactionalId"
>;
/** Options of consumers, defaults applied. */
export type ResolvedConsumerOptions = Resolved<
  ConsumerOptions,
  "assignor" | "groupInstanceId" | "maxProcessingTimeMs"
>;
/** Options of connections, defaults applied. */
export type ResolvedNetOptions = Resolved<NetOptions, "writeTimeoutMs" | "tls" | "sasl">;
/** Options of topics, defaults applied. */
export type ResolvedTopicsOptions = Resolved<TopicsOptions, keyof TopicSettings>;

/** Options that drivers work with, defaults applied: all but the choice of the driver itself. */
export interface DriverOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly connectTimeoutMs: number;
  readonly producer: ResolvedProducerOptions;
  readonly consumer: ResolvedConsumerOptions;
  readonly net: ResolvedNetOptions;
  readonly topics: ResolvedTopicsOptions;
  readonly client: Required<ClientOptions>;
}
