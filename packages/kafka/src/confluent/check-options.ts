import { BusConfigError } from "@bus/core";
import type { ResolvedKafkaOptions } from "../kafka-options.ts";
import { commonProperties, consumerProperties, producerProperties } from "./confluent-config.ts";
import type { LibrdkafkaProperties } from "./confluent-config.ts";

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
  "statistics.interval.ms",
  "retry.backoff.max.ms",
  "ssl.endpoint.identification.algorithm",
]);

/** What this driver must have in its own hands. */
const RESERVED = [
  "dr_cb",
  "dr_msg_cb",
  "event_cb",
  "rebalance_cb",
  "offset_commit_cb",
  "queue_non_empty_cb",
  "oauthbearer_token_refresh_cb",
  "transactional.id",
];

/** Ranges of librdkafka, by option path; the shared checks know only what holds for every client. */
const RANGES: Readonly<Record<string, readonly [min: number, max: number]>> = Object.freeze({
  "producer.compressionLevel": [-1, 12],
  "producer.flushFrequencyMs": [0, 900_000],
  "producer.flushMessages": [1, 1_000_000],
  "producer.batchSizeBytes": [1, 2_147_483_647],
  "producer.bufferMessages": [1, 2_147_483_647],
  "producer.bufferBytes": [1, 2_147_483_647 * 1024],
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
 * @throws BusConfigError `BUS_UNSUPPORTED` with path and value, `BUS_CONFIG` for `client` against the other options.
 */
export function checkOptions(options: ResolvedKafkaOptions): void {
  checkFeatures(options);
  checkRanges(options);
  checkOwnProperties(options);
}

function checkFeatures({ producer, consumer, net }: ResolvedKafkaOptions): void {
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
      "librdkafka always checks the name of the broker's address",
    );
  }
  if (producer.idempotent && producer.retryMax === 0) {
    throw unsupported(
      "producer.retryMax",
      0,
      "librdkafka needs at least one retry with producer.idempotent",
    );
  }
  if (
    consumer.protocol === "consumer" &&
    consumer.assignor !== undefined &&
    consumer.assignor !== "range"
  ) {
    const reason =
      'with consumer.protocol "consumer" the broker divides partitions, and knows only "range" beside its default';
    throw unsupported("consumer.assignor", consumer.assignor, reason);
  }
  if (consumer.protocol === "classic" && consumer.rebalanceTimeoutMs < consumer.sessionTimeoutMs) {
    const reason = `librdkafka wants at least consumer.sessionTimeoutMs (${consumer.sessionTimeoutMs})`;
    throw unsupported("consumer.rebalanceTimeoutMs", consumer.rebalanceTimeoutMs, reason);
  }
}

function checkRanges({ producer, consumer, net }: ResolvedKafkaOptions): void {
  const groups: Readonly<Record<string, object>> = { producer, consumer, net };
  for (const [path, [min, max]] of Object.entries(RANGES)) {
    const [group = "", name = ""] = path.split(".");
    const value = new Map(Object.entries(groups[group] ?? {})).get(name);
    if (typeof value !== "number" || (value >= min && value <= max)) continue;
    throw unsupported(path, value, `librdkafka takes ${min} to ${max}`);
  }
}

function checkOwnProperties(options: ResolvedKafkaOptions): void {
  const without = { ...options, client: { common: {}, producer: {}, consumer: {} } };
  const producer = producerProperties(without);
  const consumer = consumerProperties(without, "");
  const common = { ...producer, ...consumer, ...commonProperties(without) };
  checkOwn("client.common", options.client.common, common);
  checkOwn("client.producer", options.client.producer, producer);
  checkOwn("client.consumer", options.client.consumer, consumer);
}

function checkOwn(
  path: string,
  own: Readonly<Record<string, unknown>>,
  managed: LibrdkafkaProperties,
): void {
  for (const [name, value] of Object.entries(own)) {
    const known = ALIASES[name] ?? name;
    const details = { path: `${path}.${name}`, value };
    if (RESERVED.includes(known) || (known in managed && !OVERRIDABLE.has(known))) {
      throw new BusConfigError(
        "BUS_CONFIG",
        `${details.path} is set by an option of this package; use that option`,
        { details },
      );
    }
    if (!["string", "number", "boolean"].includes(typeof value)) {
      const message = `${details.path} must be a string, a number or a boolean, got ${typeof value}`;
      throw new BusConfigError("BUS_CONFIG", message, { details });
    }
  }
}

function unsupported(path: string, value: unknown, reason: string): BusConfigError {
  const message = `${path} cannot be ${JSON.stringify(value)} with the confluent driver: ${reason}`;
  return new BusConfigError("BUS_UNSUPPORTED", message, { details: { path, value } });
}
