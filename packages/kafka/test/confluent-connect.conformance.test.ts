import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster, KafkaSecurity } from "@bus/tools-brokers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NetOptions } from "../src/driver-options.ts";
import {
  connectedDriver,
  failure,
  joined,
  newTopic,
  publish,
  testDriver,
  uniqueName,
  until,
} from "./confluent-harness.ts";

type Listener = keyof KafkaSecurity["listeners"] | "PLAINTEXT";

/** Longest that a wrong credential may take to be found. */
const FOUND_WITHIN_MS = 15_000;

let cluster: KafkaCluster;
let security: KafkaSecurity;

beforeAll(async () => {
  cluster = await startKafka({ security: "tls-and-sasl" });
  if (cluster.security === undefined) throw new Error("the cluster has no secure listeners");
  security = cluster.security;
});

afterAll(() => cluster.close());

function addresses(listener: Listener): readonly string[] {
  return listener === "PLAINTEXT" ? cluster.brokers : security.listeners[listener];
}

/** Who may come in, where. */
const ALLOWED: readonly (readonly [what: string, listener: Listener, net: () => NetOptions])[] = [
  ...(["scram-sha-256", "scram-sha-512"] as const).map(
    (mechanism) =>
      [
        `${mechanism} over TLS`,
        "SASL_SSL",
        () => ({ tls: { ca: security.caPem }, sasl: { mechanism, ...security.users.scram } }),
      ] as const,
  ),
  [
    "plain without TLS",
    "SASL_PLAINTEXT",
    () => ({ sasl: { mechanism: "plain", ...security.users.plain } }),
  ],
  [
    "a client certificate",
    "SSL",
    () => ({
      tls: {
        ca: security.caPem,
        cert: security.client.certificatePem,
        key: security.client.keyPem,
      },
    }),
  ],
];

/** Who may not, and the option that is to blame. */
const REFUSED: readonly (readonly [
  what: string,
  listener: Listener,
  net: () => NetOptions,
  path: string,
])[] = [
  [
    "a wrong password with scram",
    "SASL_SSL",
    () => ({
      tls: { ca: security.caPem },
      sasl: { mechanism: "scram-sha-512", username: "alice", password: "wrong" },
    }),
    "net.sasl",
  ],
  [
    "a wrong password with plain",
    "SASL_PLAINTEXT",
    () => ({ sasl: { mechanism: "plain", username: "bob", password: "wrong" } }),
    "net.sasl",
  ],
  [
    "a mechanism that the broker has not",
    "SASL_PLAINTEXT",
    () => ({
      sasl: {
        mechanism: "oauthbearer",
        provider: () => Promise.resolve({ value: "token" }),
      },
    }),
    "net.sasl",
  ],
  [
    "a token that cannot be had",
    "SASL_PLAINTEXT",
    () => ({
      sasl: {
        mechanism: "oauthbearer",
        provider: () => Promise.reject(new Error("no token today")),
      },
    }),
    "net.sasl",
  ],
  [
    "SASL where the broker has none",
    "PLAINTEXT",
    () => ({ sasl: { mechanism: "plain", username: "bob", password: "x" } }),
    "net.sasl",
  ],
  [
    "a broker's certificate of an unknown authority",
    "SSL",
    () => ({ tls: { ca: security.client.certificatePem } }),
    "net.tls",
  ],
  ["a missing client certificate", "SSL", () => ({ tls: { ca: security.caPem } }), "net.tls"],
];

describe("connecting with Confluent's client", () => {
  for (const [what, listener, net] of ALLOWED) {
    it(`publishes and consumes with ${what}`, async () => {
      await using one = await connectedDriver({ brokers: addresses(listener), net: net() });
      const topic = await newTopic(one, 1);
      await publish(one, [{ topic, partition: 0, value: "secret" }]);
      const { sink } = await joined(one, uniqueName("group"), topic);
      await until(() => sink.deliveries.length === 1);
      expect(sink.values()).toEqual(["secret"]);
    });
  }

  for (const [what, listener, net, path] of REFUSED) {
    it(`finds ${what} soon, names the option, and leaves nothing`, async () => {
      const before = process.getActiveResourcesInfo().length;
      const one = testDriver({ brokers: addresses(listener), net: net() });
      const startedMs = Date.now();
      const error = await failure(one.driver.connect());
      expect([error.code, error.details["path"]]).toEqual(["BUS_AUTHENTICATION", path]);
      expect(error.retryable).toBe(false);
      expect(Date.now() - startedMs).toBeLessThan(FOUND_WITHIN_MS);
      await one.driver.close();
      await until(() => process.getActiveResourcesInfo().length <= before + 1, 5_000);
    });
  }

  for (const [what, brokers] of [
    ["nothing listens there", ["127.0.0.1:1"]],
    ["the name does not exist", ["no-such-host.invalid:9092"]],
  ] as const) {
    it(`gives up after net.dialTimeoutMs when ${what}`, async () => {
      await using one = testDriver({ brokers, net: { dialTimeoutMs: 1_500 } });
      const startedMs = Date.now();
      const error = await failure(one.driver.connect());
      const tookMs = Date.now() - startedMs;
      expect([error.code, error.retryable]).toEqual(["BUS_CONNECT", true]);
      expect(error.message).toContain(brokers[0]);
      expect(tookMs).toBeGreaterThanOrEqual(1_400);
      expect(tookMs).toBeLessThan(6_000);
    });
  }

  it("connects when the broker comes within the time, and again and again without harm", async () => {
    await using one = testDriver({ brokers: cluster.brokers });
    await one.driver.connect();
    await one.driver.connect();
    await one.driver.admin.ping();
  });

  it("refuses a property that librdkafka does not know, before anything is connected", () => {
    const create = (): unknown =>
      testDriver({ brokers: cluster.brokers, client: { common: { "no.such.property": 1 } } });
    expect(create).toThrow(/no\.such\.property/u);
  });
});

describe("KIP-848 with brokers that do not know it", () => {
  it("is refused when the driver connects, where the client itself would wait for ever", async () => {
    await using old = await startKafka({ version: "3.9.1" });
    await using one = testDriver({ brokers: old.brokers, consumer: { protocol: "consumer" } });
    const error = await failure(one.driver.connect());
    expect([error.code, error.details["path"]]).toEqual(["BUS_UNSUPPORTED", "consumer.protocol"]);
    await using classic = await connectedDriver({ brokers: old.brokers });
    const topic = await newTopic(classic, 1);
    await publish(classic, [{ topic, partition: 0 }]);
    const { sink } = await joined(classic, uniqueName("group"), topic);
    await until(() => sink.deliveries.length === 1);
  });
});
