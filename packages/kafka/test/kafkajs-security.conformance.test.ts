import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BusError, Transport } from "@bus/core";
import { testHost } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster, KafkaSecurity } from "@bus/tools-brokers";
import { kafka } from "../src/index.ts";
import type { NetOptions } from "../src/index.ts";
import { kafkajsDriver } from "../src/kafkajs/index.ts";

let cluster: KafkaCluster;
let security: KafkaSecurity;

beforeAll(async () => {
  cluster = await startKafka({ security: "tls-and-sasl" });
  if (cluster.security === undefined) throw new TypeError("the cluster has no security");
  security = cluster.security;
});

afterAll(() => cluster.close());

type Listener = keyof KafkaSecurity["listeners"] | "PLAINTEXT";

function transportTo(listener: Listener, net: NetOptions): Transport {
  const brokers = listener === "PLAINTEXT" ? cluster.brokers : security.listeners[listener];
  const topics = { ensure: "create" as const };
  return kafka({ brokers, net, topics, driver: kafkajsDriver() }).create(testHost());
}

function tls(): NonNullable<NetOptions["tls"]> {
  return { ca: security.caPem };
}

const WORKING: readonly (readonly [name: string, listener: Listener, net: () => NetOptions])[] = [
  [
    "SCRAM-SHA-512 over TLS",
    "SASL_SSL",
    () => ({ tls: tls(), sasl: { mechanism: "scram-sha-512", ...security.users.scram } }),
  ],
  [
    "SCRAM-SHA-256 over TLS",
    "SASL_SSL",
    () => ({ tls: tls(), sasl: { mechanism: "scram-sha-256", ...security.users.scram } }),
  ],
  [
    "PLAIN over TLS",
    "SASL_SSL",
    () => ({ tls: tls(), sasl: { mechanism: "plain", ...security.users.plain } }),
  ],
  [
    "a client certificate",
    "SSL",
    () => ({
      tls: { ...tls(), cert: security.client.certificatePem, key: security.client.keyPem },
    }),
  ],
  [
    "SCRAM-SHA-512 without TLS",
    "SASL_PLAINTEXT",
    () => ({ sasl: { mechanism: "scram-sha-512", ...security.users.scram } }),
  ],
];

describe("with what the listener wants", () => {
  test.each(WORKING)("%s: a message goes out and comes back", async (name, listener, net) => {
    const transport = transportTo(listener, net());
    await transport.connect();
    const topic = `secure-${name.replaceAll(/\W+/gu, "-")}`;
    const value = Buffer.from(name);
    await transport.publish([{ topic, key: null, value, headers: [] }]);
    const received = Promise.withResolvers<string>();
    const subscription = await transport.subscribe(
      { group: topic, topics: [{ topic }] },
      (delivery) => {
        received.resolve(Buffer.from(delivery.value ?? []).toString());
        delivery.settle({ kind: "ack" });
      },
    );
    expect(await received.promise).toBe(name);
    await subscription.close({ drainTimeoutMs: 1_000 });
    await transport.close({ drainTimeoutMs: 1_000 });
  });
});

const REFUSED: readonly (readonly [
  name: string,
  listener: Listener,
  net: () => NetOptions,
  code: string,
  path: string,
])[] = [
  [
    "a wrong password, SCRAM",
    "SASL_SSL",
    () => ({
      tls: tls(),
      sasl: { mechanism: "scram-sha-512", username: "alice", password: "wrong" },
    }),
    "BUS_AUTHENTICATION",
    "net.sasl",
  ],
  [
    "a wrong password, PLAIN",
    "SASL_SSL",
    () => ({ tls: tls(), sasl: { mechanism: "plain", username: "bob", password: "wrong" } }),
    "BUS_AUTHENTICATION",
    "net.sasl",
  ],
  [
    "an unknown user",
    "SASL_PLAINTEXT",
    () => ({ sasl: { mechanism: "scram-sha-256", username: "nobody", password: "x" } }),
    "BUS_AUTHENTICATION",
    "net.sasl",
  ],
  [
    "a mechanism that the broker does not have",
    "SASL_SSL",
    () => ({
      tls: tls(),
      sasl: { mechanism: "oauthbearer", provider: () => Promise.resolve({ value: "token" }) },
    }),
    "BUS_AUTHENTICATION",
    "net.sasl",
  ],
  [
    "an authority that is not trusted",
    "SASL_SSL",
    () => ({ tls: {}, sasl: { mechanism: "plain", ...security.users.plain } }),
    "BUS_AUTHENTICATION",
    "net.tls",
  ],
  ["no client certificate", "SSL", () => ({ tls: tls() }), "BUS_AUTHENTICATION", "net.tls"],
  [
    "no TLS where the listener wants it",
    "SASL_SSL",
    () => ({ sasl: { mechanism: "plain", ...security.users.plain } }),
    "BUS_CONNECT",
    "net.tls",
  ],
  [
    "TLS where the listener has none",
    "PLAINTEXT",
    () => ({ tls: tls() }),
    "BUS_CONNECT",
    "net.sasl",
  ],
  [
    "no credentials where the listener wants them",
    "SASL_SSL",
    () => ({ tls: tls() }),
    "BUS_CONNECT",
    "net.sasl",
  ],
];

describe("with something else", () => {
  test.each(REFUSED)(
    "%s: connect fails within 15 s and names the option",
    async (...[, listener, net, code, path]) => {
      const transport = transportTo(listener, net());
      const startedMs = performance.now();
      const error = await transport.connect().then(
        () => undefined,
        (thrown: BusError) => thrown,
      );
      const tookMs = performance.now() - startedMs;
      process.stdout.write(
        `  ${expect.getState().currentTestName}: ${Math.round(tookMs)} ms, ${error?.message}\n`,
      );
      await transport.close({ drainTimeoutMs: 0 });
      expect(error).toMatchObject({ code, details: { path } });
      expect(error?.message).toContain(path);
      expect(tookMs).toBeLessThan(15_000);
    },
  );
});

test("where nothing listens, connect tries until its deadline and then says so", async () => {
  const transport = kafka({
    brokers: ["127.0.0.1:1"],
    driver: kafkajsDriver(),
    connectTimeoutMs: 2_000,
  }).create(testHost());
  const startedMs = performance.now();
  await expect(transport.connect()).rejects.toMatchObject({
    code: "BUS_CONNECT",
    details: { brokers: ["127.0.0.1:1"], systemCode: "ECONNREFUSED" },
  });
  expect(performance.now() - startedMs).toBeGreaterThan(1_000);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  await transport.close({ drainTimeoutMs: 0 });
});
