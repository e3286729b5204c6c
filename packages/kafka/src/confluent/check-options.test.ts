import { BusError } from "@bus/core";
import { describe, expect, it } from "vitest";
import { resolved } from "../../test/confluent-harness.ts";
import type { KafkaOptions } from "../kafka-options.ts";
import { checkOptions } from "./check-options.ts";

type Options = Omit<KafkaOptions, "driver" | "brokers">;

function problemOf(options: Options): Pick<BusError, "code" | "message" | "details"> | undefined {
  try {
    checkOptions(resolved({ brokers: ["a:1"], ...options }));
    return undefined;
  } catch (error) {
    if (!BusError.is(error)) throw error;
    return { code: error.code, message: error.message, details: error.details };
  }
}

const UNSUPPORTED: readonly (readonly [path: string, value: unknown, options: Options])[] = [
  ["net.writeTimeoutMs", 5, { net: { writeTimeoutMs: 5 } }],
  ["net.tls.servername", "kafka", { net: { tls: { servername: "kafka" } } }],
  ["net.dialTimeoutMs", 999, { net: { dialTimeoutMs: 999 } }],
  ["net.readTimeoutMs", 300_001, { net: { readTimeoutMs: 300_001 } }],
  ["producer.retryMax", 0, { producer: { retryMax: 0 } }],
  ["producer.compressionLevel", 13, { producer: { compressionLevel: 13 } }],
  ["producer.flushMessages", 1_000_001, { producer: { flushMessages: 1_000_001 } }],
  ["producer.retryBackoffMs", 10_000, { producer: { retryBackoffMs: 10_000 } }],
  [
    "consumer.assignor",
    "roundrobin",
    { consumer: { protocol: "consumer", assignor: "roundrobin" } },
  ],
  ["consumer.rebalanceTimeoutMs", 20_000, { consumer: { rebalanceTimeoutMs: 20_000 } }],
  ["consumer.fetchMinBytes", 100_000_001, { consumer: { fetchMinBytes: 100_000_001 } }],
  [
    "topics.config",
    { "cleanup.policy": "compact" },
    { topics: { config: { "cleanup.policy": "compact" } } },
  ],
  ["topics.perTopic.t.config", { a: "b" }, { topics: { perTopic: { t: { config: { a: "b" } } } } }],
];

describe("checkOptions", () => {
  it("takes the defaults, and what librdkafka can do and others cannot", () => {
    expect(problemOf({})).toBeUndefined();
    expect(
      problemOf({ consumer: { groupInstanceId: "one", assignor: "cooperative-sticky" } }),
    ).toBeUndefined();
    expect(problemOf({ consumer: { protocol: "consumer", assignor: "range" } })).toBeUndefined();
    expect(problemOf({ producer: { retryMax: 0, idempotent: false } })).toBeUndefined();
    expect(
      problemOf({ topics: { ensure: "create", config: { "cleanup.policy": "compact" } } }),
    ).toBeUndefined();
  });

  for (const [path, value, options] of UNSUPPORTED) {
    it(`refuses ${path} ${JSON.stringify(value)} and names both`, () => {
      const problem = problemOf(options);
      expect(problem?.code).toBe("BUS_UNSUPPORTED");
      expect(problem?.details).toEqual({ path: `kafka.${path}`, value });
      expect(problem?.message).toContain(`kafka.${path} cannot be ${JSON.stringify(value)}`);
    });
  }

  it("refuses a property in client that an option sets, by every name of it, and names the option", () => {
    expect(problemOf({ client: { producer: { "linger.ms": 3 } } })).toMatchObject({
      code: "BUS_CONFIG",
      message: "client.producer.linger.ms is set by producer.flushFrequencyMs; use that, got 3",
      details: { path: "client.producer.linger.ms", value: 3 },
    });
    for (const name of [
      "metadata.broker.list",
      "queue.buffering.max.ms",
      "message.timeout.ms",
      "session.timeout.ms",
    ]) {
      expect(problemOf({ client: { common: { [name]: 1 } } })?.code).toBe("BUS_CONFIG");
    }
    for (const name of [
      "rebalance_cb",
      "enable.auto.commit",
      "group.instance.id",
      "enable.partition.eof",
    ]) {
      expect(problemOf({ client: { consumer: { [name]: true } } })?.code).toBe("BUS_CONFIG");
    }
  });

  it("refuses TLS through client only when net.tls sets it", () => {
    const client = {
      common: { "security.protocol": "sasl_plaintext", "sasl.mechanisms": "GSSAPI" },
    };
    expect(problemOf({ client })).toBeUndefined();
    expect(problemOf({ client, net: { tls: {} } })?.message).toContain("net.tls and net.sasl");
  });

  it("refuses checksums, with which librdkafka passes over what is corrupt instead of stopping", () => {
    const client = { consumer: { "check.crcs": true } };
    expect(problemOf({ client })).toMatchObject({ code: "BUS_UNSUPPORTED" });
    expect(problemOf({ client: { consumer: { "check.crcs": false } } })).toBeUndefined();
  });

  it("lets the user overrule what the driver has chosen by itself", () => {
    expect(
      problemOf({
        client: {
          consumer: { "queued.min.messages": 1 },
          common: { "reconnect.backoff.max.ms": 5 },
        },
      }),
    ).toBeUndefined();
  });

  it("refuses values that librdkafka's properties cannot have", () => {
    expect(problemOf({ client: { common: { debug: ["all"] } } })).toMatchObject({
      code: "BUS_CONFIG",
      message: "client.common.debug must be a string, a number or a boolean, got object",
    });
  });
});
