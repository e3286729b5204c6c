import { expect, test } from "vitest";
import type { BusError } from "@bus/core";
import { validateOptions } from "@bus/core/adapter";
import { NATS_DEFAULTS } from "./nats-defaults.ts";
import { NATS_OPTION_SCHEMA } from "./nats-schema.ts";

function resolve(options: object) {
  return validateOptions(NATS_OPTION_SCHEMA, { servers: ["a:4222"], ...options }, "nats");
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
  const { servers: _servers, ...rest } = resolve({});
  expect(rest).toEqual(NATS_DEFAULTS);
});

test.each([
  [{ auth: { user: "u", pass: "p" } }],
  [{ auth: { token: "t" } }],
  [{ auth: { creds: "c" } }],
  [{ auth: { nkey: "SU" } }],
  [{ tls: { ca: "pem", cert: "pem", key: "pem" } }],
  [{ servers: ["localhost", "nats://[::1]:4222", "tls://a.example:1"] }],
  [{ partitions: 1_024, startFrom: "none", maxAckPending: 1 }],
  [{ maxDeliver: 3, ackWaitMs: 1_000 }],
  [{ mode: "core", maxAckPending: 5 }],
  [{ stream: { name: "shop", subjects: ["a.>"], maxAgeMs: 1, maxBytes: 1, maxMessages: 1 } }],
  [{ stream: { storage: "memory", replicas: 5, discard: "old", ensure: "skip" } }],
  [{ leases: { renewMs: 100, expireMs: 300 }, reconnect: { jitter: 1 } }],
])("%j is accepted and kept", (options) => {
  expect(resolve(options)).toMatchObject(options);
});

test.each([
  [{ serverz: 1 }, "nats.serverz"],
  [{ servers: [] }, "nats.servers"],
  [{ servers: ["nats://user:hush@a:4222"] }, "nats.auth"],
  [{ servers: ["a b"] }, "nats.servers.0"],
  [{ servers: undefined }, "nats.servers"],
  [{ connection: {} }, "nats.connection"],
  [{ auth: { user: "u" } }, "nats.auth"],
  [{ auth: { token: "t", user: "u" } }, "nats.auth.user"],
  [{ partitions: 0 }, "nats.partitions"],
  [{ partitions: 4, maxDeliver: 3 }, "nats.maxDeliver"],
  [{ mode: "core", partitions: 4 }, "nats.partitions"],
  [{ mode: "core", stream: {} }, "nats.stream"],
  [{ ackWaitMs: 10 }, "nats.ackWaitMs"],
  [{ stream: { name: "a.b" } }, "nats.stream.name"],
  [{ stream: { replicas: 6 } }, "nats.stream.replicas"],
  [{ leases: { renewMs: 200, expireMs: 300 } }, "nats.leases.renewMs"],
  [{ publish: { timeoutMs: 130_000 } }, "nats.publish.timeoutMs"],
  [{ reconnect: { waitMs: 10_000 } }, "nats.reconnect.waitMs"],
  [{ startFrom: "first" }, "nats.startFrom"],
])("%j is refused with the path %s", (options, path) => {
  const error = refusal(options);
  expect(error.code).toBe("BUS_CONFIG");
  expect(error.details["path"]).toBe(path);
  expect(JSON.stringify([error.message, error.details])).not.toContain("hush");
});
