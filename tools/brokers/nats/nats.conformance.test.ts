import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "nats";
import type { NatsConnection } from "nats";
import { describe, expect, test, vi } from "vitest";

import { startNats } from "../index.ts";
import type { NatsCluster } from "../index.ts";
import { routedPeers } from "./nats-probe.ts";

async function connected(servers: string | string[]): Promise<NatsConnection> {
  return await connect({
    servers,
    timeout: 2_000,
    reconnectTimeWait: 50,
    maxReconnectAttempts: -1,
  });
}

async function withConnection<Result>(
  server: string,
  use: (connection: NatsConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await connected(server);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

async function streamWith(connection: NatsConnection, replicas: number): Promise<void> {
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: "flights", subjects: ["flights.>"], num_replicas: replicas });
  await connection.jetstream().publish("flights.dfw", "x");
}

/** Publishing during a fail-over fails until the stream has a leader again. */
async function publishUntilAcknowledged(connection: NatsConnection): Promise<void> {
  await vi.waitFor(
    async () => await connection.jetstream().publish("flights.mlb", "y", { timeout: 1_000 }),
    { timeout: 20_000, interval: 50 },
  );
}

async function isPendingAfter(waitMs: number, promise: Promise<unknown>): Promise<boolean> {
  return await Promise.race([promise.then(() => false), sleep(waitMs, true)]);
}

async function countMessages(connection: NatsConnection): Promise<number> {
  const manager = await connection.jetstreamManager();
  return (await manager.streams.info("flights")).state.messages;
}

describe.each(["2.15.2", "2.9.10"] as const)("nats-server %s", (version) => {
  test("one server has JetStream, survives a kill with its data, and can be paused", async () => {
    await using server = await startNats({
      version,
      provider: "local",
      config: { max_payload: 2_000_000 },
    });
    const connection = await connected(server.url);
    expect(connection.info).toMatchObject({ version, jetstream: true, max_payload: 2_000_000 });
    expect(server).toMatchObject({
      version,
      servers: [server.url],
      nodes: [{ id: 1, url: server.url }],
    });
    await streamWith(connection, 1);
    await server.kill(1);
    await expect(server.resume(1)).rejects.toThrow("node 1 does not run");
    await server.restart(1);
    expect(await withConnection(server.url, countMessages)).toBe(1);
    await connection.close();
    await withConnection(server.url, async (fresh) => {
      await server.pause(1);
      const answer = fresh.rtt();
      expect(await isPendingAfter(300, answer)).toBe(true);
      await server.resume(1);
      expect(await answer).toBeGreaterThanOrEqual(300);
    });
  });

  test("three servers keep a replicated stream while one of them is dead", async () => {
    await using cluster = await startNats({ version, nodes: 3, provider: "local" });
    const connection = await connected(cluster.servers);
    await streamWith(connection, 3);
    await cluster.kill(3);
    await publishUntilAcknowledged(connection);
    await cluster.restart(3);
    const [, , third = ""] = cluster.servers;
    expect(await withConnection(third, async ({ info }) => info?.server_name)).toBe("node-3");
    expect(await withConnection(third, countMessages)).toBe(2);
    await connection.close();
  });
});

test("a client that is cut off is served after healing, and one that is reset reconnects", async () => {
  await using server = await startNats({ network: "proxied", provider: "local" });
  const connection = await connected(server.url);
  const partition = await server.partitionNetwork(1);
  const answer = connection.rtt();
  expect(await isPendingAfter(300, answer)).toBe(true);
  partition.heal();
  expect(await answer).toBeGreaterThanOrEqual(300);
  {
    using reset = await server.partitionNetwork(1, "reset");
    await expect(connect({ servers: server.url, timeout: 2_000 })).rejects.toThrow(
      /ECONNRESET|TIMEOUT|CONNECTION/,
    );
    reset.heal();
  }
  await vi.waitFor(async () => await connection.rtt(), { timeout: 5_000 });
  await connection.close();
});

test("given in NATS_URL it is used and cannot be hurt", async () => {
  await using server: NatsCluster = await startNats({ provider: "local" });
  vi.stubEnv("NATS_URL", server.url);
  try {
    const given = await startNats({ nodes: 3 });
    expect(given).toMatchObject({ provider: "external", url: server.url, servers: [server.url] });
    await expect(given.partitionNetwork(1)).rejects.toMatchObject({ code: "FAULTS_UNAVAILABLE" });
    await given.close();
    expect(
      await withConnection(server.url, async (connection) => await connection.rtt()),
    ).toBeGreaterThanOrEqual(0);
  } finally {
    vi.unstubAllEnvs();
  }
  vi.stubEnv("NATS_URL", "nats://127.0.0.1:1");
  await expect(startNats()).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "no server answers at NATS_URL=nats://127.0.0.1:1",
  });
  vi.unstubAllEnvs();
});

test("without JetStream three servers are a cluster as soon as they are ready", async () => {
  await using cluster = await startNats({
    nodes: 3,
    config: { jetstream: false },
    provider: "local",
  });
  const peers = await Promise.all(
    cluster.nodes.map(async ({ monitorUrl = "" }) => await routedPeers(monitorUrl)),
  );
  expect(peers).toEqual([2, 2, 2]);
  expect(await withConnection(cluster.url, async ({ info }) => info?.jetstream ?? false)).toBe(
    false,
  );
});
