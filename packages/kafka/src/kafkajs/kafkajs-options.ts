import { BusConfigError } from "@bus/core";
import { HANDLER_DEADLINE } from "../kafka-defaults.ts";
import type { DriverOptions } from "../driver-options.ts";
import { availableCompressions, registerCodecs } from "./compression-codecs.ts";
import { commonProperties, consumerProperties, producerProperties } from "./kafkajs-properties.ts";
import { loadKafkajsInternals } from "./kafkajs-internals.ts";

/** Properties of kafkajs that options of this package set, and which option does. */
const OWN_PROPERTIES: Readonly<
  Record<"common" | "producer" | "consumer", Readonly<Record<string, string>>>
> = Object.freeze({
  common: Object.freeze({
    brokers: "brokers",
    clientId: "clientId",
    connectionTimeout: "net.dialTimeoutMs",
    authenticationTimeout: "net.dialTimeoutMs",
    requestTimeout: "net.readTimeoutMs",
    ssl: "net.tls",
    sasl: "net.sasl",
  }),
  producer: Object.freeze({
    idempotent: "producer.idempotent",
    transactionalId: "producer.transactionalId",
    createPartitioner: "producer.partitioner",
    maxInFlightRequests: "producer.maxInFlight",
    retry: "producer.retryMax",
    allowAutoTopicCreation: "topics.ensure",
  }),
  consumer: Object.freeze({
    sessionTimeout: "consumer.sessionTimeoutMs",
    heartbeatInterval: "consumer.heartbeatIntervalMs",
    rebalanceTimeout: "consumer.rebalanceTimeoutMs",
    minBytes: "consumer.fetchMinBytes",
    maxBytes: "consumer.fetchMaxBytes",
    maxWaitTimeInMs: "consumer.fetchMaxWaitMs",
    maxBytesPerPartition: "consumer.maxPartitionFetchBytes",
    readUncommitted: "consumer.isolationLevel",
    partitionAssigners: "consumer.assignor",
    allowAutoTopicCreation: "topics.ensure",
    groupId: "the group of a subscription",
  }),
});

/** Codecs that know levels. */
const LEVELS = new Set(["gzip", "zstd"]);

/**
 * Refuse what kafkajs cannot do.
 *
 * @throws BusConfigError `BUS_UNSUPPORTED` with path and value, `BUS_CONFIG` for a property in `client` that an option sets.
 */
export function checkKafkajsOptions(options: DriverOptions): void {
  const { consumer, producer, net } = options;
  const lookup = loadKafkajsInternals();
  if (lookup.kind === "unavailable") throw unsupported("driver", "kafkajs", lookup.reason);
  const ipv6 = options.brokers.find((address) => address.startsWith("["));
  refuse("brokers", ipv6, "kafkajs cannot read addresses of IPv6; use a host name");
  refuse("consumer.groupInstanceId", consumer.groupInstanceId, "kafkajs has no static membership");
  refuse(
    "net.writeTimeoutMs",
    net.writeTimeoutMs,
    "kafkajs has no time-out of its own for writing",
  );
  refuse("consumer.maxProcessingTimeMs", consumer.maxProcessingTimeMs, HANDLER_DEADLINE);
  if (consumer.assignor !== undefined && consumer.assignor !== "roundrobin") {
    throw unsupported(
      "consumer.assignor",
      consumer.assignor,
      "the kafkajs driver has roundrobin only",
    );
  }
  if (consumer.protocol !== "classic")
    throw unsupported("consumer.protocol", consumer.protocol, "kafkajs has no KIP-848");
  checkCompression(producer);
  for (const role of ["common", "producer", "consumer"] as const)
    checkClientProperties(role, options.client[role]);
}

/** kafkajs' properties by role; batching and retries, which kafkajs lacks, under `accumulator`. */
export function describeKafkajs(options: DriverOptions): Readonly<Record<string, unknown>> {
  const { producer } = options;
  return {
    common: commonProperties(options),
    producer: producerProperties(options),
    consumer: consumerProperties(options, "<group>"),
    send: {
      acks: ACKS[producer.requiredAcks],
      timeout: options.net.readTimeoutMs,
      compression: producer.compression,
      ...(producer.compressionLevel === undefined
        ? {}
        : { compressionLevel: producer.compressionLevel }),
      idempotent: producer.idempotent,
    },
    accumulator: {
      lingerMs: producer.flushFrequencyMs,
      maxMessages: producer.flushMessages,
      maxBytes: producer.batchSizeBytes,
      retries: producer.retryMax,
      retryBackoffMs: producer.retryBackoffMs,
      deliveryTimeoutMs: producer.timeoutMs,
      maxInFlight: producer.maxInFlight,
    },
  };
}

const ACKS = Object.freeze({ none: 0, leader: 1, all: -1 });

function checkCompression({ compression, compressionLevel }: DriverOptions["producer"]): void {
  registerCodecs();
  if (!availableCompressions().includes(compression)) {
    throw unsupported(
      "producer.compression",
      compression,
      `install kafkajs-${compression}, or register a codec in kafkajs' CompressionCodecs`,
    );
  }
  if (compressionLevel !== undefined && !LEVELS.has(compression)) {
    throw unsupported(
      "producer.compressionLevel",
      compressionLevel,
      `${compression} has no levels here`,
    );
  }
}

function checkClientProperties(
  role: keyof typeof OWN_PROPERTIES,
  given: Readonly<Record<string, unknown>>,
): void {
  for (const [property, value] of Object.entries(given)) {
    const path = OWN_PROPERTIES[role][property];
    if (path === undefined) continue;
    const message = `client.${role}.${property} is set by ${path}; use that, got ${String(value)}`;
    throw new BusConfigError("BUS_CONFIG", message, {
      details: { path: `client.${role}.${property}`, value },
    });
  }
}

function refuse(path: string, value: unknown, reason: string): void {
  if (value !== undefined) throw unsupported(path, value, reason);
}

function unsupported(path: string, value: unknown, reason: string): BusConfigError {
  return new BusConfigError(
    "BUS_UNSUPPORTED",
    `kafka.${path} cannot be ${String(value)} with the kafkajs driver: ${reason}`,
    {
      details: { path: `kafka.${path}`, value },
    },
  );
}
