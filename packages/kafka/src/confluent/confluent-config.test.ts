import { describe, expect, it } from "vitest";
import { resolved } from "../../test/confluent-harness.ts";
import type { KafkaOptions } from "../kafka-options.ts";
import {
  adminProperties,
  consumerProperties,
  producerProperties,
  transactionalProperties,
} from "./confluent-config.ts";

type Options = Omit<KafkaOptions, "driver" | "brokers">;

/** An option, and what it must become. */
interface Case {
  readonly option: string;
  readonly options: Options;
  readonly properties: Readonly<Record<string, unknown>>;
}

const PEM = "-----BEGIN CERTIFICATE-----";

const COMMON: readonly Case[] = [
  { option: "brokers", options: {}, properties: { "bootstrap.servers": "a:1,b:2" } },
  { option: "clientId", options: { clientId: "billing" }, properties: { "client.id": "billing" } },
  {
    option: "net.dialTimeoutMs",
    options: { net: { dialTimeoutMs: 4_000 } },
    properties: { "socket.connection.setup.timeout.ms": 4_000 },
  },
  {
    option: "net.readTimeoutMs",
    options: { net: { readTimeoutMs: 7_000 } },
    properties: { "socket.timeout.ms": 7_000 },
  },
  {
    option: "net without tls and sasl",
    options: {},
    properties: { "security.protocol": undefined },
  },
  {
    option: "net.tls",
    options: { net: { tls: { ca: PEM, cert: "c", key: "k", passphrase: "p" } } },
    properties: {
      "security.protocol": "ssl",
      "ssl.ca.pem": PEM,
      "ssl.certificate.pem": "c",
      "ssl.key.pem": "k",
      "ssl.key.password": "p",
      "enable.ssl.certificate.verification": true,
      "ssl.endpoint.identification.algorithm": "https",
    },
  },
  {
    option: "net.tls.rejectUnauthorized",
    options: { net: { tls: { rejectUnauthorized: false } } },
    properties: {
      "enable.ssl.certificate.verification": false,
      "ssl.endpoint.identification.algorithm": "none",
    },
  },
  {
    option: "net.sasl plain without tls",
    options: { net: { sasl: { mechanism: "plain", username: "u", password: "p" } } },
    properties: {
      "security.protocol": "sasl_plaintext",
      "sasl.mechanisms": "PLAIN",
      "sasl.username": "u",
      "sasl.password": "p",
    },
  },
  ...(["scram-sha-256", "scram-sha-512"] as const).map((mechanism) => ({
    option: `net.sasl ${mechanism} with tls`,
    options: { net: { tls: {}, sasl: { mechanism, username: "u", password: "p" } } },
    properties: { "security.protocol": "sasl_ssl", "sasl.mechanisms": mechanism.toUpperCase() },
  })),
  {
    option: "net.sasl oauthbearer",
    options: {
      net: {
        tls: {},
        sasl: { mechanism: "oauthbearer", provider: () => Promise.reject(new Error("unused")) },
      },
    },
    properties: { "sasl.mechanisms": "OAUTHBEARER", "sasl.username": undefined },
  },
  {
    option: "client.common",
    options: { client: { common: { "socket.keepalive.enable": true } } },
    properties: { "socket.keepalive.enable": true },
  },
];

const PRODUCER: readonly Case[] = [
  { option: "producer.requiredAcks all", options: {}, properties: { acks: -1 } },
  {
    option: "producer.requiredAcks leader",
    options: { producer: { requiredAcks: "leader", idempotent: false } },
    properties: { acks: 1 },
  },
  {
    option: "producer.requiredAcks none",
    options: { producer: { requiredAcks: "none", idempotent: false } },
    properties: { acks: 0 },
  },
  {
    option: "producer.idempotent",
    options: {},
    properties: { "enable.idempotence": true, "max.in.flight": 5 },
  },
  {
    option: "producer.idempotent false: one request at a time, so that a retry is not overtaken",
    options: { producer: { idempotent: false, maxInFlight: 5 } },
    properties: { "enable.idempotence": false, "max.in.flight": 1 },
  },
  ...(["none", "gzip", "snappy", "lz4", "zstd"] as const).map((compression) => ({
    option: `producer.compression ${compression}`,
    options: { producer: { compression } },
    properties: { "compression.codec": compression, "compression.level": undefined },
  })),
  {
    option: "producer.compressionLevel",
    options: { producer: { compression: "zstd", compressionLevel: 9 } },
    properties: { "compression.level": 9 },
  },
  {
    option: "producer.flushFrequencyMs",
    options: { producer: { flushFrequencyMs: 12 } },
    properties: { "linger.ms": 12 },
  },
  {
    option: "producer.flushMessages",
    options: { producer: { flushMessages: 77 } },
    properties: { "batch.num.messages": 77 },
  },
  {
    option: "producer.batchSizeBytes",
    options: { producer: { batchSizeBytes: 5_000 } },
    properties: { "batch.size": 5_000 },
  },
  {
    option: "producer.bufferMessages and bufferBytes",
    options: { producer: { bufferMessages: 9, bufferBytes: 2_049 } },
    properties: { "queue.buffering.max.messages": 9, "queue.buffering.max.kbytes": 3 },
  },
  {
    option: "producer.retryMax and retryBackoffMs",
    options: { producer: { retryMax: 3, retryBackoffMs: 50 } },
    properties: { retries: 3, "retry.backoff.ms": 50, "retry.backoff.max.ms": 1_600 },
  },
  {
    option: "producer.timeoutMs",
    options: { producer: { timeoutMs: 9_000 } },
    properties: { "delivery.timeout.ms": 9_000, "request.timeout.ms": 9_000 },
  },
  {
    option: "producer.maxInFlight",
    options: { producer: { maxInFlight: 2 } },
    properties: { "max.in.flight": 2 },
  },
  {
    option: "producer.maxMessageBytes",
    options: { producer: { maxMessageBytes: 2_000 } },
    properties: { "message.max.bytes": 2_000 },
  },
  {
    option: "client.producer",
    options: { client: { producer: { "sticky.partitioning.linger.ms": 3 } } },
    properties: { "sticky.partitioning.linger.ms": 3 },
  },
];

const CONSUMER: readonly Case[] = [
  { option: "the group", options: {}, properties: { "group.id": "g" } },
  ...(
    [
      ["earliest", "earliest"],
      ["latest", "latest"],
      ["none", "error"],
    ] as const
  ).map(([autoOffsetReset, value]) => ({
    option: `consumer.autoOffsetReset ${autoOffsetReset}`,
    options: { consumer: { autoOffsetReset } },
    properties: { "auto.offset.reset": value },
  })),
  {
    option: "consumer.sessionTimeoutMs and heartbeatIntervalMs",
    options: { consumer: { sessionTimeoutMs: 20_000, heartbeatIntervalMs: 2_000 } },
    properties: { "session.timeout.ms": 20_000, "heartbeat.interval.ms": 2_000 },
  },
  {
    option: "consumer.rebalanceTimeoutMs",
    options: { consumer: { rebalanceTimeoutMs: 90_000 } },
    properties: { "max.poll.interval.ms": 90_000 },
  },
  {
    option: "consumer.fetchMinBytes",
    options: { consumer: { fetchMinBytes: 10 } },
    properties: { "fetch.min.bytes": 10 },
  },
  {
    option: "consumer.fetchMaxBytes",
    options: { consumer: { fetchMaxBytes: 200_000_000 } },
    properties: { "fetch.max.bytes": 200_000_000, "receive.message.max.bytes": 201_048_576 },
  },
  {
    option: "consumer.fetchMaxWaitMs",
    options: { consumer: { fetchMaxWaitMs: 33 } },
    properties: { "fetch.wait.max.ms": 33 },
  },
  {
    option: "consumer.maxPartitionFetchBytes",
    options: { consumer: { maxPartitionFetchBytes: 44 } },
    properties: { "max.partition.fetch.bytes": 44 },
  },
  {
    option: "consumer.isolationLevel",
    options: { consumer: { isolationLevel: "read_uncommitted" } },
    properties: { "isolation.level": "read_uncommitted" },
  },
  {
    option: "consumer.assignor, absent",
    options: {},
    properties: {
      "partition.assignment.strategy": "cooperative-sticky",
      "group.protocol": undefined,
    },
  },
  ...(["roundrobin", "range", "cooperative-sticky"] as const).map((assignor) => ({
    option: `consumer.assignor ${assignor}`,
    options: { consumer: { assignor } },
    properties: { "partition.assignment.strategy": assignor },
  })),
  {
    option: "consumer.protocol consumer: without the three properties that librdkafka refuses then",
    options: { consumer: { protocol: "consumer" } },
    properties: {
      "group.protocol": "consumer",
      "session.timeout.ms": undefined,
      "heartbeat.interval.ms": undefined,
      "partition.assignment.strategy": undefined,
      "group.remote.assignor": undefined,
    },
  },
  {
    option: "consumer.protocol consumer with an assignor",
    options: { consumer: { protocol: "consumer", assignor: "range" } },
    properties: { "group.remote.assignor": "range" },
  },
  {
    option: "consumer.groupInstanceId",
    options: { consumer: { groupInstanceId: "one" } },
    properties: { "group.instance.id": "one" },
  },
  {
    option: "commits, which are made above",
    options: {},
    properties: { "enable.auto.commit": false, "enable.auto.offset.store": false },
  },
  {
    option: "client.consumer over the driver's own choice",
    options: { client: { consumer: { "queued.min.messages": 5 } } },
    properties: { "queued.min.messages": 5 },
  },
];

function expectProperties(actual: Readonly<Record<string, unknown>>, { properties }: Case): void {
  const names = Object.keys(properties);
  expect(Object.fromEntries(names.map((name) => [name, actual[name]]))).toEqual(properties);
}

describe("librdkafka's properties", () => {
  const brokers = ["a:1", "b:2"];

  for (const one of COMMON) {
    it(`of every client follow ${one.option}`, () => {
      const options = resolved({ brokers, ...one.options });
      expectProperties(adminProperties(options), one);
      expectProperties(producerProperties(options), one);
      expectProperties(consumerProperties(options, "g"), one);
    });
  }

  for (const one of PRODUCER) {
    it(`of producers follow ${one.option}`, () => {
      expectProperties(producerProperties(resolved({ brokers, ...one.options })), one);
    });
  }

  for (const one of CONSUMER) {
    it(`of consumers follow ${one.option}`, () => {
      expectProperties(consumerProperties(resolved({ brokers, ...one.options }), "g"), one);
    });
  }

  it("of the producer of transactions are those of a producer and the id", () => {
    const options = resolved({ brokers, producer: { transactionalId: "tx" } });
    expect(transactionalProperties(options, "tx")).toEqual({
      ...producerProperties(options),
      "transactional.id": "tx",
    });
    expect(producerProperties(options)).not.toHaveProperty("transactional.id");
  });
});
