import { expect, test } from "vitest";

import { merge, serverConfig } from "./server-config.ts";
import type { NatsNodePlan } from "./server-config.ts";

function node(id: number, advertised?: number): NatsNodePlan {
  return {
    id,
    folder: `/run/node-${id}`,
    ports: { client: id * 10, monitor: id * 10 + 1, route: id * 10 + 2 },
    advertised,
  };
}

test("a single server has JetStream in its own folder, listens on loopback and has no cluster", () => {
  const only = node(1);
  expect(JSON.parse(serverConfig(only, [only], {}))).toEqual({
    server_name: "node-1",
    host: "127.0.0.1",
    port: 10,
    http: "127.0.0.1:11",
    jetstream: { store_dir: "/run/node-1/data" },
  });
});

test("three servers have a route to each other and tell clients the port of their proxy", () => {
  const nodes = [node(1), node(2, 99), node(3)];
  const second = nodes[1] ?? node(0);
  expect(JSON.parse(serverConfig(second, nodes, {}))).toMatchObject({
    client_advertise: "127.0.0.1:99",
    cluster: {
      host: "127.0.0.1",
      port: 22,
      routes: ["nats://127.0.0.1:12", "nats://127.0.0.1:22", "nats://127.0.0.1:32"],
    },
  });
});

test("own configuration is merged deeply and wins; a list or a plain value is replaced", () => {
  const base = { jetstream: { store_dir: "/data", max_mem: 1 }, list: [1, 2], port: 1 };
  expect(merge(base, { jetstream: { max_mem: 2 }, list: [3], debug: true })).toEqual({
    jetstream: { store_dir: "/data", max_mem: 2 },
    list: [3],
    port: 1,
    debug: true,
  });
  expect(merge(base, { jetstream: false })).toMatchObject({ jetstream: false });
});
