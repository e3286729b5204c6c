import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import type { ComponentHealth } from "@bus/core";
import { testHost } from "@bus/testkit";
import { ConnectionState } from "./connection-state.ts";
import type { ObservedMembership } from "./connection-state.ts";

const JOINED: ObservedMembership = {
  group: "billing",
  state: { kind: "joined", sinceMs: 5 },
  stuck: [],
  decoder: { name: "@bus/kafka" },
};

function healthOf(membership: Partial<ObservedMembership>): ComponentHealth | undefined {
  const state = new ConnectionState(testHost());
  return state.report([{ ...JOINED, ...membership }])["kafka.group.billing"];
}

test("a member that reads everything is healthy and has nothing to say", () => {
  expect(healthOf({})).toEqual({ status: "healthy", detail: "", sinceMs: 5 });
});

test("a partition that cannot be read degrades its group, with its name, the reason and since when", () => {
  const error = new BusTransportError("BUS_CORRUPT", "its records cannot be decompressed");
  const stuck = [3, 4].map((partition) => ({ topic: "orders", partition, error, sinceMs: 70 }));
  expect(healthOf({ stuck: stuck.slice(0, 1) })).toEqual({
    status: "degraded",
    detail: "orders[3] stands still: its records cannot be decompressed; it is tried again",
    sinceMs: 70,
  });
  expect(healthOf({ stuck })?.detail).toContain("orders[3] (and 1 more)");
});

test("a slower decoder is named with its reason, and is no worse health", () => {
  const decoder = { name: "kafkajs", fallbackReason: "a topic holds messages of Kafka 0.10" };
  expect(healthOf({ decoder })).toEqual({
    status: "healthy",
    detail: "records are decoded by kafkajs, slower: a topic holds messages of Kafka 0.10",
    sinceMs: 5,
  });
});

test("a member that has ended is unhealthy and says why", () => {
  const error = new BusTransportError("BUS_FENCED", "another has taken over");
  expect(healthOf({ state: { kind: "ended", sinceMs: 1, error } })).toEqual({
    status: "unhealthy",
    detail: "another has taken over",
    sinceMs: 1,
  });
});

test("a rebalance by itself is no illness, a member that has not joined yet is not well", () => {
  const during = (kind: "rebalancing" | "joining") => healthOf({ state: { kind, sinceMs: 7 } });
  expect(during("rebalancing")).toEqual({ status: "healthy", detail: "rebalancing", sinceMs: 7 });
  expect(during("joining")).toEqual({ status: "degraded", detail: "joining", sinceMs: 7 });
});
