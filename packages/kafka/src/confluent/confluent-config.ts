import type { Compression, DriverOptions, SaslOptions, TlsOptions } from "../driver-options.ts";

/** Settings by librdkafka's names; functions and what a client needs to run are added where it is created. */
export type LibrdkafkaProperties = Readonly<Record<string, string | number | boolean>>;

const ACKS = Object.freeze({ none: 0, leader: 1, all: -1 } as const);
const RESET = Object.freeze({ earliest: "earliest", latest: "latest", none: "error" } as const);
const SASL_MECHANISM = Object.freeze({
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
  oauthbearer: "OAUTHBEARER",
} as const);

/** Longest wait between retries, in multiples of the first. */
const MAX_BACK_OFF_FACTOR = 32;
/** As the Java client: a broker that is back is noticed within a second. librdkafka's own default is ten. */
const RECONNECT_BACK_OFF_MAX_MS = 1_000;
const STATISTICS_INTERVAL_MS = 5_000;
/** A fetch response is larger than the records in it. */
const RESPONSE_OVERHEAD_BYTES = 1_048_576;
const RECEIVE_MESSAGE_MAX_BYTES = 100_000_000;
/** Smallest limits that librdkafka takes; a smaller one is kept above it. */
const MIN_MESSAGE_MAX_BYTES = 1_000;

/**
 * How much is fetched ahead of the reader. librdkafka's own defaults (100,000 records, 64 MiB) are dropped whenever a
 * partition pauses; with a lower number of records alone its fetchers would rest for a second when the queue is full.
 */
const PREFETCH = Object.freeze({
  "queued.min.messages": 10_000,
  "queued.max.messages.kbytes": 16_384,
  "fetch.queue.backoff.ms": 20,
} as const);

/** Properties of every client, before the user's own. */
export function commonProperties(options: DriverOptions): LibrdkafkaProperties {
  const { brokers, clientId, net } = options;
  return {
    "bootstrap.servers": brokers.join(","),
    "client.id": clientId,
    "socket.connection.setup.timeout.ms": net.dialTimeoutMs,
    "socket.timeout.ms": net.readTimeoutMs,
    "reconnect.backoff.max.ms": RECONNECT_BACK_OFF_MAX_MS,
    ...securityProperties(net),
  };
}

/** Properties of the client that asks about topics and offsets. */
export function adminProperties(options: DriverOptions): LibrdkafkaProperties {
  return { ...commonProperties(options), ...properties(options.client.common) };
}

/** Properties of a producer. Partitions are chosen above the driver, the same for all clients. */
export function producerProperties(options: DriverOptions): LibrdkafkaProperties {
  const { producer, net } = options;
  return {
    ...commonProperties(options),
    acks: ACKS[producer.requiredAcks],
    "enable.idempotence": producer.idempotent,
    ...compressionProperties(producer),
    "linger.ms": producer.flushFrequencyMs,
    "batch.num.messages": producer.flushMessages,
    "batch.size": producer.batchSizeBytes,
    "queue.buffering.max.messages": producer.bufferMessages,
    "queue.buffering.max.kbytes": Math.ceil(producer.bufferBytes / 1024),
    retries: producer.retryMax,
    "retry.backoff.ms": producer.retryBackoffMs,
    "retry.backoff.max.ms": producer.retryBackoffMs * MAX_BACK_OFF_FACTOR,
    "delivery.timeout.ms": producer.timeoutMs,
    "request.timeout.ms": Math.min(net.readTimeoutMs, producer.timeoutMs),
    // Without sequence numbers a retried request would be overtaken by the next one of the same partition.
    "max.in.flight": producer.idempotent ? producer.maxInFlight : 1,
    "message.max.bytes": Math.max(producer.maxMessageBytes, MIN_MESSAGE_MAX_BYTES),
    ...properties(options.client.common),
    ...properties(options.client.producer),
  };
}

/** Properties of the producer that runs transactions. */
export function transactionalProperties(
  options: DriverOptions,
  transactionalId: string,
): LibrdkafkaProperties {
  return { ...producerProperties(options), "transactional.id": transactionalId };
}

/** Properties of a member of a group. */
export function consumerProperties(options: DriverOptions, group: string): LibrdkafkaProperties {
  const { consumer } = options;
  return {
    ...commonProperties(options),
    "group.id": group,
    ...groupProperties(options),
    ...(consumer.groupInstanceId === undefined
      ? {}
      : { "group.instance.id": consumer.groupInstanceId }),
    "max.poll.interval.ms": consumer.rebalanceTimeoutMs,
    "auto.offset.reset": RESET[consumer.autoOffsetReset],
    "enable.auto.commit": false,
    "enable.auto.offset.store": false,
    "enable.partition.eof": true,
    "fetch.min.bytes": consumer.fetchMinBytes,
    "fetch.max.bytes": consumer.fetchMaxBytes,
    "fetch.wait.max.ms": consumer.fetchMaxWaitMs,
    "max.partition.fetch.bytes": consumer.maxPartitionFetchBytes,
    "receive.message.max.bytes": Math.max(
      RECEIVE_MESSAGE_MAX_BYTES,
      consumer.fetchMaxBytes + RESPONSE_OVERHEAD_BYTES,
    ),
    "isolation.level": consumer.isolationLevel,
    ...PREFETCH,
    "statistics.interval.ms": STATISTICS_INTERVAL_MS,
    ...properties(options.client.common),
    ...properties(options.client.consumer),
  };
}

/** Properties of a client that reads positions of a group without being a member of it. */
export function offsetReaderProperties(
  options: DriverOptions,
  group: string,
): LibrdkafkaProperties {
  return {
    ...adminProperties(options),
    "group.id": group,
    "enable.auto.commit": false,
    "isolation.level": options.consumer.isolationLevel,
  };
}

/** With KIP-848 the broker sets timeouts and divides partitions; librdkafka refuses the settings of the classic protocol. */
function groupProperties({ consumer }: DriverOptions): LibrdkafkaProperties {
  if (consumer.protocol === "consumer") {
    const remote =
      consumer.assignor === undefined ? {} : { "group.remote.assignor": consumer.assignor };
    return { "group.protocol": "consumer", ...remote };
  }
  return {
    "partition.assignment.strategy": consumer.assignor ?? "cooperative-sticky",
    "session.timeout.ms": consumer.sessionTimeoutMs,
    "heartbeat.interval.ms": consumer.heartbeatIntervalMs,
  };
}

function compressionProperties(producer: {
  readonly compression: Compression;
  readonly compressionLevel?: number;
}): LibrdkafkaProperties {
  const { compression, compressionLevel } = producer;
  return {
    "compression.codec": compression,
    ...(compressionLevel === undefined ? {} : { "compression.level": compressionLevel }),
  };
}

function securityProperties({ tls, sasl }: DriverOptions["net"]): LibrdkafkaProperties {
  if (tls === undefined && sasl === undefined) return {};
  const protocol = sasl === undefined ? "ssl" : `sasl_${tls === undefined ? "plaintext" : "ssl"}`;
  return {
    "security.protocol": protocol,
    ...(tls === undefined ? {} : tlsProperties(tls)),
    ...(sasl === undefined ? {} : saslProperties(sasl)),
  };
}

function tlsProperties({
  ca,
  cert,
  key,
  passphrase,
  rejectUnauthorized,
}: TlsOptions): LibrdkafkaProperties {
  return {
    ...(ca === undefined ? {} : { "ssl.ca.pem": ca }),
    ...(cert === undefined ? {} : { "ssl.certificate.pem": cert }),
    ...(key === undefined ? {} : { "ssl.key.pem": key }),
    ...(passphrase === undefined ? {} : { "ssl.key.password": passphrase }),
    "enable.ssl.certificate.verification": rejectUnauthorized ?? true,
    "ssl.endpoint.identification.algorithm": rejectUnauthorized === false ? "none" : "https",
  };
}

function saslProperties(sasl: SaslOptions): LibrdkafkaProperties {
  const mechanism = { "sasl.mechanisms": SASL_MECHANISM[sasl.mechanism] };
  if (sasl.mechanism === "oauthbearer") return mechanism;
  return { ...mechanism, "sasl.username": sasl.username, "sasl.password": sasl.password };
}

/** The user's own properties; `checkOptions` has seen to it that they are of these types. */
function properties(own: Readonly<Record<string, unknown>>): LibrdkafkaProperties {
  return own as LibrdkafkaProperties;
}
