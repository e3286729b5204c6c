import { existsSync } from "node:fs";
import { readFile, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import type { KafkaConfig, Message } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { FAST_FAILOVER, startKafka } from "../index.ts";
import type { KafkaCluster } from "../index.ts";
import { clusterView } from "./kafka-probe.ts";

function client(config: Partial<KafkaConfig> & { brokers: string[] }): Kafka {
  return new Kafka({
    logLevel: logLevel.NOTHING,
    retry: { retries: 8, initialRetryTime: 50, maxRetryTime: 1_000 },
    ...config,
  });
}

async function brokersSeenBy(kafka: Kafka): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return (await admin.describeCluster()).brokers.length;
  } finally {
    await admin.disconnect();
  }
}

async function send(kafka: Kafka, topic: string, messages: Message[]): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    await producer.send({ topic, messages, acks: -1 });
  } finally {
    await producer.disconnect();
  }
}

async function endOffset(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { offset }) => sum + Number(offset), 0);
  } finally {
    await admin.disconnect();
  }
}

async function createTopic(kafka: Kafka, topic: string, replicas: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.createTopics({
      topics: [{ topic, numPartitions: 3, replicationFactor: replicas }],
      waitForLeaders: true,
    });
  } finally {
    await admin.disconnect();
  }
}

/** State letter of a process as Linux gives it: T is stopped. */
async function stateOf(pid: number | undefined): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return /\) (\w) /.exec(stat)?.[1];
}

describe("one node of 4.1.1 behind a proxy, with TLS and SASL", () => {
  let cluster: KafkaCluster;
  let kafka: Kafka;

  beforeAll(async () => {
    cluster = await startKafka({ security: "tls-and-sasl", network: "proxied", provider: "local" });
    kafka = client({ brokers: cluster.brokers });
    await createTopic(kafka, "flights", 1);
  });

  afterEach(() => void vi.unstubAllEnvs());

  afterAll(async () => await cluster.close());

  test("it answers at the address that it gives, which is the proxy's, and clients stay on it", async () => {
    const admin = kafka.admin();
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    await admin.disconnect();
    expect(brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(cluster.brokers);
    expect(cluster).toMatchObject({
      version: "4.1.1",
      provider: "local",
      nodes: [{ id: 1, address: cluster.brokers[0] }],
    });
    expect(cluster.readyMs).toBeGreaterThan(0);
  });

  test("a topic that nobody created does not exist", async () => {
    await expect(
      send(client({ brokers: cluster.brokers, retry: { retries: 0 } }), "nobody-created-me", [
        { value: "x" },
      ]),
    ).rejects.toThrow(/does not host this topic-partition/);
  });

  test.each(["scram-sha-256", "scram-sha-512", "plain"] as const)(
    "a user is let in by %s, over TLS and without, and not with a wrong password",
    async (mechanism) => {
      const security = requireSecurity(cluster);
      const { username, password } =
        mechanism === "plain" ? security.users.plain : security.users.scram;
      const over = { SASL_SSL: { ssl: { ca: [security.caPem] } }, SASL_PLAINTEXT: {} };
      for (const listener of ["SASL_SSL", "SASL_PLAINTEXT"] as const) {
        const config = { brokers: security.listeners[listener], ...over[listener] };
        expect(
          await brokersSeenBy(
            client({
              ...config,
              sasl: { mechanism, username, password } as KafkaConfig["sasl"] & object,
            }),
          ),
        ).toBe(1);
        const wrong = { mechanism, username, password: "wrong" } as KafkaConfig["sasl"] & object;
        await expect(brokersSeenBy(client({ ...config, sasl: wrong }))).rejects.toThrow(
          /authentication/i,
        );
      }
    },
  );

  test("the TLS listener lets in a client with our certificate, and nobody without", async () => {
    const { listeners, caPem, client: own } = requireSecurity(cluster);
    const brokers = listeners.SSL;
    expect(
      await brokersSeenBy(
        client({ brokers, ssl: { ca: [caPem], cert: own.certificatePem, key: own.keyPem } }),
      ),
    ).toBe(1);
    await expect(
      brokersSeenBy(client({ brokers, ssl: { ca: [caPem] }, retry: { retries: 0 } })),
    ).rejects.toThrow(/alert|certificate|ECONNRESET|disconnected|Closed/i);
  });

  test("a paused broker is stopped itself, answers nothing, and goes on when it is resumed", async () => {
    const [address = ""] = cluster.brokers;
    await cluster.pause(1);
    expect(await stateOf(cluster.pid(1))).toBe("T");
    expect(await clusterView(address)).toBeUndefined();
    await cluster.resume(1);
    expect(await clusterView(address)).toMatchObject({ brokerIds: [1] });
  });

  test("a client that is cut off waits, and is served after healing", async () => {
    const [address = ""] = cluster.brokers;
    const before = await endOffset(kafka, "flights");
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: "flights", messages: [{ value: "before" }] });
    const partition = await cluster.partitionNetwork(1);
    let served = false;
    const sending = producer
      .send({ topic: "flights", messages: [{ value: "during" }] })
      .then(() => (served = true));
    expect(await clusterView(address)).toBeUndefined(); // which takes as long as a probe waits
    expect(served).toBe(false);
    partition.heal();
    await sending;
    await producer.disconnect();
    expect(await endOffset(kafka, "flights")).toBe(before + 2);
  });

  test("a lost response leaves the message in the log although the client has not heard of it", async () => {
    const before = await endOffset(kafka, "flights");
    const producer = client({
      brokers: cluster.brokers,
      requestTimeout: 30_000,
      retry: { retries: 0 },
    }).producer();
    await producer.connect();
    await producer.send({ topic: "flights", messages: [{ value: "before" }] });
    {
      using partition = await cluster.partitionNetwork(1, "lose-responses");
      const outcome = producer.send({ topic: "flights", messages: [{ value: "in doubt" }] }).then(
        () => "acknowledged",
        (error: unknown) => String(error),
      );
      await partition.firstLoss;
      partition.heal();
      expect(await outcome).toMatch(/ECONNRESET|closed/i);
    }
    await producer.disconnect();
    expect(await endOffset(kafka, "flights")).toBe(before + 2);
  });

  test("a killed broker is gone until it is restarted, and has its data then", async () => {
    const before = await endOffset(kafka, "flights");
    await cluster.kill(1);
    expect(cluster.pid(1)).toBeUndefined();
    await expect(cluster.pause(1)).rejects.toThrow("node 1 does not run");
    await cluster.restart(1);
    expect(await endOffset(kafka, "flights")).toBe(before);
    await expect(cluster.kill(2)).rejects.toThrow("node must be one of 1, got 2");
    expect(await cluster.logs(1)).toMatch(/Kafka Server started[^]+Kafka Server started/);
  });

  test("given in KAFKA_BROKERS it is used and cannot be hurt", async () => {
    vi.stubEnv("KAFKA_BROKERS", cluster.brokers.join(","));
    const given = await startKafka();
    expect(given).toMatchObject({
      provider: "external",
      brokers: cluster.brokers,
      version: undefined,
    });
    await expect(given.kill(1)).rejects.toMatchObject({ code: "FAULTS_UNAVAILABLE" });
    await given.close();
    expect(await brokersSeenBy(kafka)).toBe(1);
    await expect(startKafka({ security: "tls-and-sasl" })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
  });
});

test("3.9.1 answers, is stopped in order, and leaves nothing when it is closed", async () => {
  let folder = "";
  {
    await using cluster = await startKafka({ version: "3.9.1", provider: "local" });
    const kafka = client({ brokers: cluster.brokers });
    await createTopic(kafka, "flights", 1);
    await send(kafka, "flights", [{ value: "x" }]);
    expect(await endOffset(kafka, "flights")).toBe(1);
    expect(await cluster.logs(1)).toContain("Kafka version: 3.9.1");
    folder = await folderOf(cluster.pid(1));
    expect(existsSync(folder)).toBe(true);
    await cluster.stopNode(1);
    expect(await cluster.logs(1)).toContain("shut down completed");
    await expect(cluster.partitionNetwork(1)).rejects.toMatchObject({ code: "FAULTS_UNAVAILABLE" });
  }
  expect(existsSync(folder)).toBe(false);
});

test("three nodes go on without one, which comes back on its own address", async () => {
  await using cluster = await startKafka({
    nodes: 3,
    brokerConfig: FAST_FAILOVER,
    provider: "local",
  });
  const kafka = client({ brokers: cluster.brokers });
  await createTopic(kafka, "flights", 3);
  await send(kafka, "flights", [{ value: "all three" }]);
  await cluster.kill(2);
  await vi.waitFor(
    async () =>
      expect(await clusterView(cluster.brokers[0] ?? "")).toMatchObject({ brokerIds: [1, 3] }),
    { timeout: 20_000, interval: 100 },
  );
  await send(kafka, "flights", [{ value: "without the second" }]);
  await cluster.restart(2);
  expect(await clusterView(cluster.brokers[1] ?? "")).toMatchObject({ brokerIds: [1, 2, 3] });
  expect(await endOffset(kafka, "flights")).toBe(2);
});

test("a broker that cannot start says why and where its log is", async () => {
  const failed = startKafka({ brokerConfig: { "log.retention.hours": "soon" }, provider: "local" });
  const error: unknown = await failed.catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "START_FAILED",
    message: expect.stringMatching(/node 1 ended with status 1: .*log\.retention\.hours/) as string,
  });
  const folder = /kept in (.+)$/.exec(error instanceof Error ? error.message : "")?.[1] ?? "";
  expect(await readdir(join(folder, "node-1"))).toEqual(["broker.log", "server.properties"]);
  await rm(folder, { recursive: true });
});

function requireSecurity(cluster: KafkaCluster): KafkaCluster["security"] & object {
  if (cluster.security === undefined) throw new Error("the cluster has no security");
  return cluster.security;
}

/** The folder of a cluster, out of the command line of a broker, whose last word is its configuration file. */
async function folderOf(pid: number | undefined): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, "utf8"))
    .split("\0")
    .filter((word) => word !== "");
  return dirname(dirname(words.at(-1) ?? ""));
}
