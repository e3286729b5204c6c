import { createRequire } from "node:module";
import kafkajs from "kafkajs";
import { afterEach, describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { createCluster, KNOWN_KAFKAJS_VERSION, loadKafkajsInternals } from "./kafkajs-internals.ts";

const require = createRequire(import.meta.url);
const manifest = require("kafkajs/package.json") as { version: string };

afterEach(() => {
  manifest.version = KNOWN_KAFKAJS_VERSION;
});

describe("loadKafkajsInternals", () => {
  test("finds the request definitions of the very client that runs", () => {
    const lookup = loadKafkajsInternals();
    const { requests } = require("kafkajs/src/protocol/requests") as {
      readonly requests: { readonly Fetch: object };
    };
    expect(lookup).toMatchObject({ kind: "available" });
    expect(lookup.kind === "available" && lookup.internals.fetch).toBe(requests.Fetch);
  });

  test.each(["2.2.3", "2.2.5", "2.2.4-patched", "3.0.0"])(
    "does not look into kafkajs %s",
    (version) => {
      manifest.version = version;
      expect(loadKafkajsInternals()).toEqual({
        kind: "unavailable",
        reason: `kafkajs is ${version}, only 2.2.4 is known`,
      });
    },
  );
});

describe("createCluster", () => {
  const options = { metadataMaxAge: 1000, allowAutoTopicCreation: false };

  test("makes a cluster with the settings of the client, not connected", () => {
    const kafka = new kafkajs.Kafka({ clientId: "orders", brokers: ["127.0.0.1:1"] });
    const cluster = createCluster(kafka, options);
    expect(cluster.isConnected()).toBe(false);
  });

  test("refuses a client that it does not know", () => {
    let error: unknown;
    try {
      // What another version might return.
      createCluster({} as InstanceType<typeof kafkajs.Kafka>, options);
    } catch (thrown) {
      error = thrown;
    }
    expect(BusError.is(error, "BUS_UNSUPPORTED")).toBe(true);
    expect(String(error)).toContain("a kafkajs client of version 2.2.4 is needed");
  });
});
