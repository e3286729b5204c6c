import { afterAll, beforeAll, expect, test } from "vitest";
import type { BusError } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { until } from "@bus/testkit";
import { startNats } from "@bus/tools-brokers";
import type { NatsCluster } from "@bus/tools-brokers";
import { connect } from "nats";
import type { NatsConnection } from "nats";
import { ClientLink } from "../src/client/client-link.ts";
import { SeverableProxy } from "./severable-proxy.ts";

let cluster: NatsCluster;

beforeAll(async () => {
  cluster = await startNats();
});

afterAll(() => cluster.close());

const bytes = (text: string): Uint8Array => Buffer.from(text);
const soon = { timeoutMs: 10_000 };

test("when the client has given up for good, another one takes its place with all subscriptions", async () => {
  const connections: NatsConnection[] = [];
  const told: string[] = [];
  const link = new ClientLink({
    clock: systemClock,
    isOwner: true,
    open: async () => {
      const connection = await connect({ servers: cluster.url });
      connections.push(connection);
      return connection;
    },
    onGone: () => {
      told.push("gone");
      void link.open();
    },
  });
  link.listen({
    connected: () => told.push("connected"),
    disconnected: () => told.push("disconnected"),
  });
  const seen: string[] = [];
  link.subscribe("a.*", ({ subject, data, headerBytes }) =>
    seen.push(`${subject} ${Buffer.from(data).toString()} ${headerBytes?.length ?? 0}`),
  );
  await link.open();
  await connections[0]?.close();
  await until(() => link.isConnected && connections.length === 2, {
    ...soon,
    what: "another connection",
  });
  link.publish("a.b", bytes("v"), { headerBytes: bytes("NATS/1.0\r\nA: 1\r\n\r\n") });
  await until(() => seen.length === 1, { ...soon, what: "a message" });
  expect(seen).toEqual(["a.b v 18"]);
  expect(told).toEqual(["connected", "disconnected", "gone", "connected"]);
  await link.close();
  expect(connections.every((connection) => connection.isClosed())).toBe(true);
});

test("a request fails at once when the connection is lost, when nobody listens, and in time when nobody answers", async () => {
  await using proxy = await SeverableProxy.to(cluster.url);
  const link = new ClientLink({
    clock: systemClock,
    isOwner: true,
    open: () => connect({ servers: proxy.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 }),
    onGone: () => undefined,
  });
  await link.open();
  const reasonOf = (subject: string, timeoutMs: number): Promise<unknown> =>
    link.request(subject, bytes(""), timeoutMs).then(
      () => "answered",
      (error: BusError) => error.details["reason"],
    );
  expect(await reasonOf("nobody.listens", 10_000)).toBe("noResponders");
  link.subscribe("silent", () => undefined);
  link.subscribe("echo", ({ reply, data }) => link.publish(reply, data));
  expect(await reasonOf("silent", 50)).toBe("timeout");
  expect(await reasonOf("echo", 10_000)).toBe("answered");
  const waiting = reasonOf("silent", 60_000);
  proxy.sever();
  expect(await waiting).toBe("disconnected");
  expect(await reasonOf("echo", 60_000)).toBe("disconnected");
  proxy.restore();
  await until(() => link.isConnected, { ...soon, what: "the connection to be back" });
  expect(await reasonOf("echo", 10_000)).toBe("answered");
  await link.close();
});
