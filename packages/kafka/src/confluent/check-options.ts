import { BusConfigError } from "@bus/core";
import { HANDLER_DEADLINE } from "../kafka-defaults.ts";
import type { DriverOptions } from "../driver-options.ts";
import { commonProperties, consumerProperties, producerProperties } from "./confluent-config.ts";

/** Names under which librdkafka knows a property beside the one that this driver uses. */
const ALIASES: Readonly<Record<string, string>> = Object.freeze({
  "metadata.broker.list": "bootstrap.servers",
  "request.required.acks": "acks",
  "compression.type": "compression.codec",
  "queue.buffering.max.ms": "linger.ms",
  "message.send.max.retries": "retries",
  "message.timeout.ms": "delivery.timeout.ms",
  "max.in.flight.requests.per.connection": "max.in.flight",
  "fetch.message.max.bytes": "max.partition.fetch.bytes",
  "sasl.mechanism": "sasl.mechanisms",
  "auto.commit.enable": "enable.auto.commit",
});

/** What this driver sets by its own choice: a user may know better. */
const OVERRIDABLE = new Set([
  "reconnect.backoff.max.ms",
  "queued.min.messages",
  "queued.max.messages.kbytes",
  "fetch.queue.backoff.ms",
  "receive.message.max.bytes",
  "request.timeout.ms",
  "retry.backoff.max.ms",
  "ssl.endpoint.identification.algorithm",
  "statistics.interval.ms",
]);

/** Properties by which this driver works, or that an option sets where the driver adds it. */
const RESERVED: Readonly<Record<string, string>> = Object.freeze({
  "transactional.id": "producer.transactionalId",
  partitioner: "producer.partitioner",
  "group.instance.id": "consumer.groupInstanceId",
  "group.protocol": "consumer.protocol",
  "group.remote.assignor": "consumer.assignor",
  "compression.level": "producer.compressionLevel",
  dr_cb: "the driver",
  dr_msg_cb: "the driver",
  event_cb: "the driver",
  rebalance_cb: "the driver",
  offset_commit_cb: "the driver",
  queue_non_empty_cb: "the driver",
  oauthbearer_token_refresh_cb: "net.sasl.provider",
});

/** Properties that would break a promise of this package. */
const HARMFUL: Readonly<Record<string, { readonly value: unknown; readonly reason: string }>> =
  Object.freeze({
    "check.crcs": {
      value: true,
      reason:
        "librdkafka passes over a record batch whose checksum is wrong, and its records are lost",
    },
  });

/** The options behind the properties, for messages. */
const OPTION_OF: Readonly<Record<string, string>> = Object.freeze({
  ...RESERVED,
  "bootstrap.servers": "brokers",
  "client.id": "clientId",
  "socket.connection.setup.timeout.ms": "net.dialTimeoutMs",
  "socket.timeout.ms": "net.readTimeoutMs",
  "security.protocol": "net.tls and net.sasl",
  "sasl.mechanisms": "net.sasl.mechanism",
  "sasl.username": "net.sasl.username",
  "sasl.password": "net.sasl.password",
  acks: "producer.requiredAcks",
  "enable.idempotence": "producer.idempotent",
  "compression.codec": "producer.compression",
  "linger.ms": "producer.flushFrequencyMs",
  "batch.num.messages": "producer.flushMessages",
  "batch.size": "producer.batchSizeBytes",
  "queue.buffering.max.messages": "producer.bufferMessages",
  "queue.buffering.max.kbytes": "producer.bufferBytes",
  retries: "producer.retryMax",
  "retry.backoff.ms": "producer.retryBackoffMs",
  "delivery.timeout.ms": "producer.timeoutMs",
  "max.in.flight": "producer.maxInFlight",
  "message.max.bytes": "producer.maxMessageBytes",
  "group.id": "the group of a subscription",
  "partition.assignment.strategy": "consumer.assignor",
  "session.timeout.ms": "consumer.sessionTimeoutMs",
  "heartbeat.interval.ms": "consumer.heartbeatIntervalMs",
  "max.poll.interval.ms": "consumer.rebalanceTimeoutMs",
  "auto.offset.reset": "consumer.autoOffsetReset",
  "fetch.min.bytes": "consumer.fetchMinBytes",
  "fetch.max.bytes": "consumer.fetchMaxBytes",
  "fetch.wait.max.ms": "consumer.fetchMaxWaitMs",
  "max.partition.fetch.bytes": "consumer.maxPartitionFetchBytes",
  "isolation.level": "consumer.isolationLevel",
});

/** Ranges of librdkafka, by option path; the shared checks know only what holds for every client. */
const RANGES: Readonly<Record<string, readonly [min: number, max: number]>> = Object.freeze({
  "producer.compressionLevel": [-1, 12],
  "producer.flushFrequencyMs": [0, 900_000],
  "producer.flushMessages": [1, 1_000_000],
  "producer.batchSizeBytes": [1, 2_147_483_647],
  "producer.bufferMessages": [1, 2_147_483_647],
  "producer.bufferBytes": [1, 2_147_483_647 * 1_024],
  "producer.retryMax": [0, 2_147_483_647],
  "producer.retryBackoffMs": [1, 9_375],
  "producer.timeoutMs": [1, 2_147_483_647],
  "producer.maxInFlight": [1, 1_000_000],
  "producer.maxMessageBytes": [1, 1_000_000_000],
  "consumer.sessionTimeoutMs": [1, 3_600_000],
  "consumer.heartbeatIntervalMs": [1, 3_600_000],
  "consumer.rebalanceTimeoutMs": [1, 86_400_000],
  "consumer.fetchMinBytes": [1, 100_000_000],
  "consumer.fetchMaxBytes": [0, 2_000_000_000],
  "consumer.fetchMaxWaitMs": [0, 300_000],
  "consumer.maxPartitionFetchBytes": [1, 1_000_000_000],
  "net.dialTimeoutMs": [1_000, 2_147_483_647],
  "net.readTimeoutMs": [10, 300_000],
});

/**
 * Refuse what librdkafka cannot do, before anything is created.
 *
 * @throws BusConfigError `BUS_UNSUPPORTED` with path and value, `BUS_CONFIG` for a property in `client` that an option sets.
 */
export function checkOptions(options: DriverOptions): void {
  checkConnection(options);
  checkProducer(options);
  checkConsumer(options);
  checkTopics(options);
  checkRanges(options);
  checkClientProperties(options);
}

function checkConnection({ net }: DriverOptions): void {
  if (net.writeTimeoutMs !== undefined) {
    throw unsupported(
      "net.writeTimeoutMs",
      net.writeTimeoutMs,
      "librdkafka has no time-out for writing alone",
    );
  }
  if (net.tls?.servername !== undefined) {
    throw unsupported(
      "net.tls.servername",
      net.tls.servername,
      "librdkafka always checks the host of the broker's address",
    );
  }
}

function checkProducer({ producer }: DriverOptions): void {
  if (producer.idempotent && producer.retryMax === 0) {
    throw unsupported(
      "producer.retryMax",
      0,
      "librdkafka needs at least one retry with producer.idempotent",
    );
  }
}

function checkConsumer({ consumer }: DriverOptions): void {
  const { protocol, assignor, rebalanceTimeoutMs, sessionTimeoutMs, maxProcessingTimeMs } =
    consumer;
  if (maxProcessingTimeMs !== undefined)
    throw unsupported("consumer.maxProcessingTimeMs", maxProcessingTimeMs, HANDLER_DEADLINE);
  if (protocol === "consumer" && assignor !== undefined && assignor !== "range") {
    const reason =
      'with consumer.protocol "consumer" the brokers divide partitions, by "range" or their own default';
    throw unsupported("consumer.assignor", assignor, reason);
  }
  if (protocol === "classic" && rebalanceTimeoutMs < sessionTimeoutMs) {
    const reason = `librdkafka wants at least consumer.sessionTimeoutMs, which is ${sessionTimeoutMs}`;
    throw unsupported("consumer.rebalanceTimeoutMs", rebalanceTimeoutMs, reason);
  }
}

/** Confluent's client has no call that reads the settings of a topic. */
function checkTopics({ topics }: DriverOptions): void {
  if (topics.ensure !== "validate") return;
  const reason =
    "Confluent's client cannot read the settings of topics, so they cannot be validated";
  if (topics.config !== undefined) throw unsupported("topics.config", topics.config, reason);
  for (const [topic, { config }] of Object.entries(topics.perTopic)) {
    if (config !== undefined) throw unsupported(`topics.perTopic.${topic}.config`, config, reason);
  }
}

function checkRanges({ producer, consumer, net }: DriverOptions): void {
  const groups: Readonly<Record<string, object>> = { producer, consumer, net };
  for (const [path, [min, max]] of Object.entries(RANGES)) {
    const [group = "", name = ""] = path.split(".");
    const value: unknown = new Map(Object.entries(groups[group] ?? {})).get(name);
    if (typeof value !== "number" || (value >= min && value <= max)) continue;
    throw unsupported(path, value, `librdkafka takes ${min} to ${max}`);
  }
}

function checkClientProperties(options: DriverOptions): void {
  const { client } = options;
  const bare = { ...options, client: { common: {}, producer: {}, consumer: {} } };
  const producer = producerProperties(bare);
  const consumer = consumerProperties(bare, "");
  const common = { ...producer, ...consumer, ...commonProperties(bare) };
  for (const [role, given, set] of [
    ["common", client.common, common],
    ["producer", client.producer, producer],
    ["consumer", client.consumer, consumer],
  ] as const) {
    for (const [property, value] of Object.entries(given))
      checkProperty({ path: `client.${role}.${property}`, property, value }, set);
  }
}

interface GivenProperty {
  readonly path: string;
  readonly property: string;
  readonly value: unknown;
}

function checkProperty({ path, property, value }: GivenProperty, set: object): void {
  const name = ALIASES[property] ?? property;
  const details = { path, value };
  if (name in RESERVED || (name in set && !OVERRIDABLE.has(name))) {
    const option = OPTION_OF[name] ?? "the driver";
    throw new BusConfigError(
      "BUS_CONFIG",
      `${path} is set by ${option}; use that, got ${String(value)}`,
      { details },
    );
  }
  const harm = HARMFUL[name];
  if (harm !== undefined && String(value) === String(harm.value))
    throw unsupported(path, value, harm.reason);
  if (["string", "number", "boolean"].includes(typeof value)) return;
  const message = `${path} must be a string, a number or a boolean, got ${typeof value}`;
  throw new BusConfigError("BUS_CONFIG", message, { details });
}

function unsupported(path: string, value: unknown, reason: string): BusConfigError {
  const message = `kafka.${path} cannot be ${JSON.stringify(value)} with the confluent driver: ${reason}`;
  return new BusConfigError("BUS_UNSUPPORTED", message, {
    details: { path: `kafka.${path}`, value },
  });
}
