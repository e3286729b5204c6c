import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { validateOptions } from "@bus/core/adapter";
import { everyOption } from "../test/option-paths.ts";
import { confluentDriver } from "./confluent/index.ts";
import type { KafkaDriverFactory } from "./kafka-driver.ts";
import type { ResolvedKafkaOptions } from "./kafka-options.ts";
import { KAFKA_OPTION_SCHEMA } from "./kafka-schema.ts";
import { kafkajsDriver } from "./kafkajs/index.ts";

const DRIVERS = { kafkajs: kafkajsDriver(), confluent: confluentDriver() } as const;

/** `role: { property: value }` of what `describe()` shows, or why the client cannot honour the option. */
type Effect =
  | Readonly<Record<string, Readonly<Record<string, unknown>>>>
  | { readonly refusedAs: string };

/** An option as a user gives it, and what it becomes with either client. */
type Row = readonly [option: string, value: unknown, kafkajs: Effect, confluent: Effect];

const UNSUPPORTED = { refusedAs: "BUS_UNSUPPORTED" } as const;
const PLAIN = { mechanism: "plain", username: "u", password: "p" } as const;
/** A property of librdkafka that every role has. */
const everywhere = (properties: Readonly<Record<string, unknown>>): Effect => ({
  admin: properties,
  producer: properties,
  consumer: properties,
});

const CONNECTIONS: readonly Row[] = [
  [
    "brokers",
    ["b:1", "c:2"],
    { common: { brokers: ["b:1", "c:2"] } },
    everywhere({ "bootstrap.servers": "b:1,c:2" }),
  ],
  [
    "clientId",
    "billing",
    { common: { clientId: "billing" } },
    everywhere({ "client.id": "billing" }),
  ],
  [
    "net.dialTimeoutMs",
    4_000,
    { common: { connectionTimeout: 4_000, authenticationTimeout: 4_000 } },
    everywhere({ "socket.connection.setup.timeout.ms": 4_000 }),
  ],
  [
    "net.readTimeoutMs",
    7_000,
    { common: { requestTimeout: 7_000 }, send: { timeout: 7_000 } },
    { ...everywhere({ "socket.timeout.ms": 7_000 }) },
  ],
  ["net.writeTimeoutMs", 7_000, UNSUPPORTED, UNSUPPORTED],
  [
    "net.tls",
    { ca: "pem", cert: "c", key: "k" },
    { common: { ssl: { ca: "pem", cert: "c", key: "k" } } },
    everywhere({
      "security.protocol": "ssl",
      "ssl.ca.pem": "pem",
      "ssl.certificate.pem": "c",
      "ssl.key.pem": "k",
    }),
  ],
  [
    "net.sasl",
    PLAIN,
    { common: { sasl: PLAIN } },
    everywhere({
      "security.protocol": "sasl_plaintext",
      "sasl.mechanisms": "PLAIN",
      "sasl.username": "u",
      "sasl.password": "p",
    }),
  ],
  [
    "client.common",
    { "socket.keepalive.enable": true },
    { common: { "socket.keepalive.enable": true } },
    everywhere({ "socket.keepalive.enable": true }),
  ],
];

const PRODUCER: readonly Row[] = [
  ["producer.requiredAcks", "all", { send: { acks: -1 } }, { producer: { acks: -1 } }],
  [
    "producer.idempotent",
    false,
    { send: { idempotent: false } },
    { producer: { "enable.idempotence": false } },
  ],
  [
    "producer.compression",
    "gzip",
    { send: { compression: "gzip" } },
    { producer: { "compression.codec": "gzip" } },
  ],
  [
    "producer.flushFrequencyMs",
    12,
    { accumulator: { lingerMs: 12 } },
    { producer: { "linger.ms": 12 } },
  ],
  [
    "producer.flushMessages",
    77,
    { accumulator: { maxMessages: 77 } },
    { producer: { "batch.num.messages": 77 } },
  ],
  [
    "producer.batchSizeBytes",
    5_000,
    { accumulator: { maxBytes: 5_000 } },
    { producer: { "batch.size": 5_000 } },
  ],
  ["producer.retryMax", 3, { accumulator: { retries: 3 } }, { producer: { retries: 3 } }],
  [
    "producer.retryBackoffMs",
    50,
    { accumulator: { retryBackoffMs: 50 } },
    { producer: { "retry.backoff.ms": 50 } },
  ],
  [
    "producer.timeoutMs",
    9_000,
    { accumulator: { deliveryTimeoutMs: 9_000 } },
    { producer: { "delivery.timeout.ms": 9_000 } },
  ],
  [
    "producer.maxInFlight",
    2,
    { accumulator: { maxInFlight: 2 } },
    { producer: { "max.in.flight": 2 } },
  ],
  [
    "client.producer",
    { metadataMaxAge: 7 },
    { producer: { metadataMaxAge: 7 } },
    { producer: { metadataMaxAge: 7 } },
  ],
];

const CONSUMER: readonly Row[] = [
  ["consumer.maxProcessingTimeMs", 7, UNSUPPORTED, UNSUPPORTED],
  [
    "consumer.sessionTimeoutMs",
    20_000,
    { consumer: { sessionTimeout: 20_000 } },
    { consumer: { "session.timeout.ms": 20_000 } },
  ],
  [
    "consumer.heartbeatIntervalMs",
    900,
    { consumer: { heartbeatInterval: 900 } },
    { consumer: { "heartbeat.interval.ms": 900 } },
  ],
  [
    "consumer.rebalanceTimeoutMs",
    90_000,
    { consumer: { rebalanceTimeout: 90_000 } },
    { consumer: { "max.poll.interval.ms": 90_000 } },
  ],
  [
    "consumer.fetchMinBytes",
    10,
    { consumer: { minBytes: 10 } },
    { consumer: { "fetch.min.bytes": 10 } },
  ],
  [
    "consumer.fetchMaxBytes",
    9_000,
    { consumer: { maxBytes: 9_000 } },
    { consumer: { "fetch.max.bytes": 9_000 } },
  ],
  [
    "consumer.fetchMaxWaitMs",
    33,
    { consumer: { maxWaitTimeInMs: 33 } },
    { consumer: { "fetch.wait.max.ms": 33 } },
  ],
  [
    "consumer.maxPartitionFetchBytes",
    44,
    { consumer: { maxBytesPerPartition: 44 } },
    { consumer: { "max.partition.fetch.bytes": 44 } },
  ],
  [
    "consumer.isolationLevel",
    "read_uncommitted",
    { consumer: { readUncommitted: true } },
    { consumer: { "isolation.level": "read_uncommitted" } },
  ],
  [
    "consumer.assignor",
    "range",
    UNSUPPORTED,
    { consumer: { "partition.assignment.strategy": "range" } },
  ],
  ["consumer.protocol", "consumer", UNSUPPORTED, { consumer: { "group.protocol": "consumer" } }],
  ["consumer.groupInstanceId", "one", UNSUPPORTED, { consumer: { "group.instance.id": "one" } }],
  [
    "client.consumer",
    { rackId: "r" },
    { consumer: { rackId: "r" } },
    { consumer: { rackId: "r" } },
  ],
];

/** Two options that only make sense together with another. */
const TOGETHER: readonly (readonly [
  option: string,
  options: object,
  kafkajs: Effect,
  confluent: Effect,
])[] = [
  [
    "producer.compressionLevel",
    { producer: { compression: "zstd", compressionLevel: 9 } },
    { send: { compression: "zstd", compressionLevel: 9 } },
    { producer: { "compression.codec": "zstd", "compression.level": 9 } },
  ],
  [
    "producer.requiredAcks",
    { producer: { requiredAcks: "leader", idempotent: false } },
    { send: { acks: 1 } },
    { producer: { acks: 1 } },
  ],
  [
    "consumer.sessionTimeoutMs",
    {},
    { consumer: { sessionTimeout: 12_000 } },
    { consumer: { "session.timeout.ms": 30_000 } },
  ],
];

/**
 * Options that one client knows by itself and this package carries out for the other, or that no client has: the file
 * of the test that shows what they do.
 */
const CARRIED_OUT_HERE: Readonly<Record<string, string>> = {
  driver: "named-driver.test.ts",
  connectTimeoutMs: "../test/kafkajs-security.conformance.test.ts",
  "producer.bufferMessages": "kafka-publisher.test.ts",
  "producer.bufferBytes": "kafka-publisher.test.ts",
  "producer.onFull": "kafka-publisher.test.ts",
  "producer.partitioner": "kafka-publisher.test.ts",
  "producer.maxMessageBytes": "../test/wire.conformance.test.ts",
  "producer.transactionalId": "../test/transactions.conformance.test.ts",
  "consumer.autoOffsetReset": "group-member.test.ts",
  "consumer.drainTimeoutMs": "group-member.test.ts",
  "consumer.commitIntervalMs": "group-member.test.ts",
  "consumer.commitEveryMessages": "group-member.test.ts",
  "consumer.maxInFlightMessages": "group-member.test.ts",
  "consumer.maxInFlightBytes": "../test/memory.conformance.test.ts",
  "consumer.maxUncommittedMessages": "group-member.test.ts",
  "consumer.skipUnreadable": "../test/unreadable.conformance.test.ts",
  "topics.ensure": "kafka-topics.test.ts",
  "topics.partitions": "kafka-topics.test.ts",
  "topics.replicationFactor": "kafka-topics.test.ts",
  "topics.config": "kafka-topics.test.ts",
  "topics.perTopic": "kafka-topics.test.ts",
};

function resolve(driver: KafkaDriverFactory, options: object): ResolvedKafkaOptions {
  return validateOptions(KAFKA_OPTION_SCHEMA, { brokers: ["a:9092"], driver, ...options }, "kafka");
}

function optionsOf(path: string, value: unknown): object {
  const keys = path.split(".");
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
}

/** What a driver shows of options, or the code with which it refuses them. */
function effectOf(driver: KafkaDriverFactory, options: object): object {
  const resolved = resolve(driver, options);
  try {
    driver.check(resolved);
  } catch (error) {
    if (BusError.is(error)) return { refusedAs: error.code };
    throw error;
  }
  return driver.describe(resolved);
}

describe.each(["kafkajs", "confluent"] as const)("from configuration to the client %s", (name) => {
  const driver = DRIVERS[name];
  const own = (effects: readonly [Effect, Effect]): Effect => effects[name === "kafkajs" ? 0 : 1];

  test.each([...CONNECTIONS, ...PRODUCER, ...CONSUMER])("%s = %j", (option, value, ...effects) => {
    expect(effectOf(driver, optionsOf(option, value))).toMatchObject(own(effects));
  });

  test.each(TOGETHER)("%s in %j", (_option, options, ...effects) => {
    expect(effectOf(driver, options)).toMatchObject(own(effects));
  });
});

test("every option of the schema stands in one of the tables above", () => {
  const known = [...CONNECTIONS, ...PRODUCER, ...CONSUMER, ...TOGETHER].map(([option]) => option);
  const all = [...known, ...Object.keys(CARRIED_OUT_HERE)];
  expect(new Set(all)).toEqual(new Set(everyOption()));
});

test.each(Object.entries(CARRIED_OUT_HERE))(
  "%s is carried out here, as %s shows",
  (option, file) => {
    const text = readFileSync(new URL(file, import.meta.url), "utf8");
    expect(text).toContain(option.split(".").at(-1));
  },
);
