import { expect, test } from "vitest";
import type { BusError } from "@bus/core";
import { validateOptions } from "@bus/core/adapter";
import { KAFKA_OPTION_SCHEMA } from "../kafka-schema.ts";
import { kafkajsDriver } from "./index.ts";
import { checkKafkajsOptions, describeKafkajs } from "./kafkajs-options.ts";

const driver = kafkajsDriver();

function resolve(options: object) {
  return validateOptions(KAFKA_OPTION_SCHEMA, { brokers: ["a:9092"], driver, ...options }, "kafka");
}

function refusal(options: object): BusError {
  try {
    checkKafkajsOptions(resolve(options));
  } catch (error) {
    return error as BusError;
  }
  throw new Error("the options were accepted");
}

/** Every option that becomes a property of the client, or of what this driver does in its place. */
const PROPERTIES: readonly (readonly [
  path: string,
  value: unknown,
  property: string,
  effective: unknown,
])[] = [
  ["brokers", ["b:1", "c:2"], "common.brokers", ["b:1", "c:2"]],
  ["clientId", "billing", "common.clientId", "billing"],
  ["net.dialTimeoutMs", 7, "common.connectionTimeout", 7],
  ["net.dialTimeoutMs", 7, "common.authenticationTimeout", 7],
  ["net.readTimeoutMs", 7, "common.requestTimeout", 7],
  ["net.readTimeoutMs", 7, "send.timeout", 7],
  ["net.tls", { ca: "pem", servername: "s" }, "common.ssl", { ca: "pem", servername: "s" }],
  [
    "net.sasl",
    { mechanism: "scram-sha-256", username: "u", password: "p" },
    "common.sasl",
    { mechanism: "scram-sha-256", username: "u", password: "p" },
  ],
  ["producer.requiredAcks", "all", "send.acks", -1],
  ["producer.idempotent", false, "send.idempotent", false],
  ["producer.compression", "gzip", "send.compression", "gzip"],
  ["producer.flushFrequencyMs", 7, "accumulator.lingerMs", 7],
  ["producer.flushMessages", 7, "accumulator.maxMessages", 7],
  ["producer.batchSizeBytes", 7, "accumulator.maxBytes", 7],
  ["producer.retryMax", 7, "accumulator.retries", 7],
  ["producer.retryBackoffMs", 7, "accumulator.retryBackoffMs", 7],
  ["producer.timeoutMs", 7, "accumulator.deliveryTimeoutMs", 7],
  ["producer.maxInFlight", 2, "accumulator.maxInFlight", 2],
  ["consumer.sessionTimeoutMs", 60_000, "consumer.sessionTimeout", 60_000],
  ["consumer.heartbeatIntervalMs", 7, "consumer.heartbeatInterval", 7],
  ["consumer.rebalanceTimeoutMs", 90_000, "consumer.rebalanceTimeout", 90_000],
  ["consumer.fetchMinBytes", 7, "consumer.minBytes", 7],
  ["consumer.fetchMaxBytes", 7, "consumer.maxBytes", 7],
  ["consumer.fetchMaxWaitMs", 7, "consumer.maxWaitTimeInMs", 7],
  ["consumer.maxPartitionFetchBytes", 7, "consumer.maxBytesPerPartition", 7],
  ["consumer.isolationLevel", "read_uncommitted", "consumer.readUncommitted", true],
  ["client.common", { reauthenticationThreshold: 7 }, "common.reauthenticationThreshold", 7],
  ["client.producer", { metadataMaxAge: 7 }, "producer.metadataMaxAge", 7],
  ["client.consumer", { metadataMaxAge: 7 }, "consumer.metadataMaxAge", 7],
  ["client.consumer", { rackId: "r" }, "consumer.rackId", "r"],
];

test.each(PROPERTIES)("%s = %j becomes %s", (...[path, value, property, effective]) => {
  const keys = path.split(".");
  const options = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  const resolved = resolve(options as object);
  checkKafkajsOptions(resolved);
  const described: unknown = describeKafkajs(resolved);
  const found = property
    .split(".")
    .reduce<unknown>((outer, key) => (outer as Record<string, unknown>)[key], described);
  expect(found).toEqual(effective);
});

test("topics are never created by the broker on its own", () => {
  expect(describeKafkajs(resolve({}))).toMatchObject({
    producer: { allowAutoTopicCreation: false },
    consumer: { allowAutoTopicCreation: false },
  });
});

test("credentials are a fresh object for every client, since kafkajs writes into them", () => {
  const resolved = resolve({ net: { sasl: { mechanism: "plain", username: "u", password: "p" } } });
  const [first, second] = [describeKafkajs(resolved), describeKafkajs(resolved)] as {
    common: { sasl: object };
  }[];
  expect(first?.common.sasl).toEqual(second?.common.sasl);
  expect(first?.common.sasl).not.toBe(second?.common.sasl);
  expect(first?.common.sasl).not.toBe(resolved.net.sasl);
});

test.each([
  [{ consumer: { groupInstanceId: "one" } }, "kafka.consumer.groupInstanceId", "one"],
  [{ net: { writeTimeoutMs: 7 } }, "kafka.net.writeTimeoutMs", 7],
  [
    { consumer: { assignor: "cooperative-sticky" } },
    "kafka.consumer.assignor",
    "cooperative-sticky",
  ],
  [{ consumer: { assignor: "range" } }, "kafka.consumer.assignor", "range"],
  [{ consumer: { protocol: "consumer" } }, "kafka.consumer.protocol", "consumer"],
  [{ producer: { compressionLevel: 3 } }, "kafka.producer.compressionLevel", 3],
  [{ brokers: ["[::1]:9092"] }, "kafka.brokers", "[::1]:9092"],
] as const)(
  "%j cannot be honoured: refused at creation with path and value",
  (options, path, value) => {
    const error = refusal(options);
    expect(error).toMatchObject({ code: "BUS_UNSUPPORTED", details: { path, value } });
    expect(error.message).toContain(`${path} cannot be ${value} with the kafkajs driver: `);
  },
);

test("roundrobin, which is what this driver has, may be asked for", () => {
  expect(() =>
    checkKafkajsOptions(resolve({ consumer: { assignor: "roundrobin" } })),
  ).not.toThrow();
});

test.each([
  [{ common: { requestTimeout: 7 } }, "client.common.requestTimeout", "net.readTimeoutMs"],
  [
    { consumer: { sessionTimeout: 7 } },
    "client.consumer.sessionTimeout",
    "consumer.sessionTimeoutMs",
  ],
  [{ producer: { idempotent: false } }, "client.producer.idempotent", "producer.idempotent"],
] as const)(
  "a property in client that an option sets is a conflict: %j",
  (client, path, option) => {
    const error = refusal({ client });
    expect(error).toMatchObject({ code: "BUS_CONFIG", details: { path } });
    expect(error.message).toContain(`${path} is set by ${option}`);
  },
);
