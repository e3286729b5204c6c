import { expect, test } from "vitest";

import { parsePeers, parseRoutes } from "./nats-probe.ts";

test("the size of the group counts only once it has a leader", () => {
  expect(parsePeers('{"meta_cluster":{"name":"bus","leader":"node-2","cluster_size":3}}')).toBe(3);
  expect(parsePeers('{"meta_cluster":{"name":"bus","cluster_size":3}}')).toBe(0);
  expect(parsePeers('{"streams":0}')).toBe(0);
});

test("several routes to one server count once", () => {
  expect(parseRoutes('{"routes":[{"remote_id":"B"},{"remote_id":"B"},{"remote_id":"C"}]}')).toBe(2);
  expect(parseRoutes('{"num_routes":0}')).toBe(0);
});
