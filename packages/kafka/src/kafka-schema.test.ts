import { expect, test } from "vitest";
import type { BusError } from "@bus/core";
import { validateOptions } from "@bus/core/adapter";
import { everyOption } from "../test/option-paths.ts";
import { KAFKA_DEFAULTS, KAFKA_DRIVER_DEFAULTS } from "./kafka-defaults.ts";
import type { KafkaDriverFactory } from "./kafka-driver.ts";
import { KAFKA_OPTION_SCHEMA } from "./kafka-schema.ts";

const driver: KafkaDriverFactory = {
  kind: "kafkaDriver",
  name: "another",
  check: () => undefined,
  describe: () => ({}),
  create: () => {
    throw new Error("not created here");
  },
};

function resolve(options: object) {
  return validateOptions(KAFKA_OPTION_SCHEMA, { brokers: ["a:9092"], driver, ...options }, "kafka");
}

function refusal(options: object): BusError {
  try {
    resolve(options);
  } catch (error) {
    return error as BusError;
  }
  throw new Error("the options were accepted");
}

test("without options everything has its default, and only what has none is absent", () => {
  const { brokers: _brokers, driver: _driver, ...rest } = resolve({});
  expect(rest).toEqual(KAFKA_DEFAULTS);
});

test.each([
  ["kafkajs", { sessionTimeoutMs: 12_000, readTimeoutMs: 10_000 }],
  ["confluent", { sessionTimeoutMs: 30_000, readTimeoutMs: 30_000 }],
] as const)("the driver %s has its own defaults where it needs them", (name, wanted) => {
  const { consumer, net } = resolve({ driver: name });
  expect({ sessionTimeoutMs: consumer.sessionTimeoutMs, readTimeoutMs: net.readTimeoutMs }).toEqual(
    wanted,
  );
  expect(KAFKA_DRIVER_DEFAULTS[name]).toBeDefined();
});

const VALID: readonly (readonly [path: string, value: unknown])[] = [
  ["clientId", "billing"],
  ["connectTimeoutMs", 1],
  ["producer.requiredAcks", "all"],
  ["producer.idempotent", false],
  ["producer.compression", "zstd"],
  ["producer.compressionLevel", 3],
  ["producer.flushFrequencyMs", 0],
  ["producer.flushMessages", 7],
  ["producer.batchSizeBytes", 7],
  ["producer.bufferMessages", 7],
  ["producer.bufferBytes", 7_000_000],
  ["producer.onFull", "reject"],
  ["producer.retryMax", 0],
  ["producer.retryBackoffMs", 7],
  ["producer.timeoutMs", 7],
  ["producer.partitioner", "fnv1a"],
  ["producer.partitioner", () => 0],
  ["producer.maxInFlight", 1],
  ["producer.maxMessageBytes", 7],
  ["producer.transactionalId", "id"],
  ["consumer.autoOffsetReset", "none"],
  ["consumer.sessionTimeoutMs", 60_000],
  ["consumer.heartbeatIntervalMs", 7],
  ["consumer.rebalanceTimeoutMs", 90_000],
  ["consumer.drainTimeoutMs", 0],
  ["consumer.maxProcessingTimeMs", 7],
  ["consumer.fetchMinBytes", 7],
  ["consumer.fetchMaxBytes", 7],
  ["consumer.fetchMaxWaitMs", 7],
  ["consumer.maxPartitionFetchBytes", 7],
  ["consumer.isolationLevel", "read_uncommitted"],
  ["consumer.assignor", "range"],
  ["consumer.protocol", "consumer"],
  ["consumer.groupInstanceId", "one"],
  ["consumer.commitIntervalMs", 7],
  ["consumer.commitEveryMessages", 7],
  ["consumer.maxInFlightMessages", 7],
  ["consumer.maxInFlightBytes", 7],
  ["consumer.maxUncommittedMessages", 7],
  ["consumer.skipUnreadable", [{ topic: "orders", partition: 3, from: 12, to: 15 }]],
  ["net.dialTimeoutMs", 7],
  ["net.readTimeoutMs", 7],
  ["net.writeTimeoutMs", 7],
  ["net.tls", {}],
  [
    "net.tls",
    {
      ca: "ca",
      cert: "cert",
      key: "key",
      passphrase: "p",
      servername: "s",
      rejectUnauthorized: false,
    },
  ],
  ["net.sasl", { mechanism: "scram-sha-512", username: "u", password: "p" }],
  ["net.sasl", { mechanism: "oauthbearer", provider: () => Promise.resolve({ value: "t" }) }],
  ["topics.ensure", "create"],
  ["topics.partitions", 7],
  ["topics.replicationFactor", 3],
  ["topics.config", { "cleanup.policy": "compact" }],
  ["topics.perTopic", { orders: { partitions: 1 } }],
  ["client.common", { anything: 1 }],
  ["client.producer", { anything: 1 }],
  ["client.consumer", { anything: 1 }],
];

test.each(VALID)("%s arrives as it was given", (path, value) => {
  const keys = path.split(".");
  const input = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  const resolved: unknown = resolve(input as object);
  const arrived = keys.reduce<unknown>(
    (outer, key) => (outer as Record<string, unknown>)[key],
    resolved,
  );
  expect(arrived).toEqual(value);
});

test("every option of the schema is tried above", () => {
  const tried = new Set([...VALID.map(([path]) => path), "brokers", "driver"]);
  expect(everyOption().filter((path) => !tried.has(path))).toEqual([]);
});

test.each([
  [{ brokers: [] }, "kafka.brokers must name at least one broker, got a list"],
  [{ brokers: ["host"] }, 'kafka.brokers.0 must be host:port, got "host"'],
  [
    { driver: "kafkaj" },
    'kafka.driver must be kafkajsDriver(), confluentDriver() or the name of one of them, got "kafkaj"',
  ],
  [
    { consumer: { heartbeatInterval: 1 } },
    "unknown option kafka.consumer.heartbeatInterval, got 1 (did you mean `heartbeatIntervalMs`?)",
  ],
  [{ producer: { flushMessages: 0 } }, "kafka.producer.flushMessages must be at least 1, got 0"],
  [
    { producer: { flushMessages: 1.5 } },
    "kafka.producer.flushMessages must be a whole number, got 1.5",
  ],
  [
    { producer: { compression: "brotli" } },
    'kafka.producer.compression must be one of none, gzip, snappy, lz4, zstd, got "brotli"',
  ],
  [
    { producer: { requiredAcks: "leader" } },
    'kafka.producer.requiredAcks must be all while producer.idempotent is true, got "leader"',
  ],
  [
    { producer: { maxInFlight: 6 } },
    "kafka.producer.maxInFlight must be at most 5 while producer.idempotent is true, got 6",
  ],
  [
    { producer: { idempotent: false, transactionalId: "id" } },
    "kafka.producer.idempotent must be true with producer.transactionalId, got false",
  ],
  [
    { consumer: { heartbeatIntervalMs: 10_001 } },
    "kafka.consumer.heartbeatIntervalMs must be at most a third of consumer.sessionTimeoutMs (30000), got 10001",
  ],
  [
    { consumer: { drainTimeoutMs: 30_001 } },
    "kafka.consumer.drainTimeoutMs must be at most half of consumer.rebalanceTimeoutMs (60000), got 30001",
  ],
  [
    { net: { sasl: { mechanism: "plain", username: "u" } } },
    "kafka.net.sasl.password must be text, got undefined",
  ],
] as const)("%j is refused before anything is done, with path and value", (options, message) => {
  const error = refusal(options);
  expect(error.code).toBe("BUS_CONFIG");
  expect(error.message).toBe(message);
});

test("a default gives way to the option that it depends on", () => {
  const { consumer } = resolve({
    consumer: { sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 8_000 },
  });
  expect(consumer.heartbeatIntervalMs).toBe(2_000);
  expect(consumer.drainTimeoutMs).toBe(4_000);
});
