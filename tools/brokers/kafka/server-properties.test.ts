import { expect, test } from "vitest";

import { FAST_FAILOVER, serverProperties } from "./server-properties.ts";
import type { KafkaClusterPlan, KafkaNodePlan } from "./server-properties.ts";

function node(id: number, more: Partial<KafkaNodePlan> = {}): KafkaNodePlan {
  const base = id * 10;
  return {
    id,
    folder: `/run/node-${id}`,
    ports: { PLAINTEXT: base + 1, INTERNAL: base + 2, CONTROLLER: base + 3 },
    advertised: {},
    ...more,
  };
}

function propertiesOf(cluster: Partial<KafkaClusterPlan>, index = 0): Record<string, string> {
  const plan = { nodes: [node(1)], security: {}, overrides: {}, ...cluster };
  const chosen = plan.nodes[index];
  if (chosen === undefined) throw new Error(`no node at ${index}`);
  const lines = serverProperties(chosen, plan).trimEnd().split("\n");
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

test("a single node replicates nothing and is its own quorum", () => {
  expect(propertiesOf({})).toMatchObject({
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@127.0.0.1:13",
    listeners: "PLAINTEXT://127.0.0.1:11,INTERNAL://127.0.0.1:12,CONTROLLER://127.0.0.1:13",
    "advertised.listeners": "PLAINTEXT://127.0.0.1:11,INTERNAL://127.0.0.1:12",
    "log.dirs": "/run/node-1/data",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
  });
});

test("three nodes know each other and keep three replicas of which two have to be in sync", () => {
  expect(propertiesOf({ nodes: [node(1), node(2), node(3)] }, 1)).toMatchObject({
    "node.id": "2",
    "controller.quorum.voters": "1@127.0.0.1:13,2@127.0.0.1:23,3@127.0.0.1:33",
    "offsets.topic.replication.factor": "3",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "transaction.state.log.min.isr": "2",
  });
});

test("clients are told the port of the proxy, the other brokers the real one", () => {
  const proxied = node(1, { advertised: { PLAINTEXT: 99 } });
  const properties = propertiesOf({ nodes: [proxied] });
  expect(properties["listeners"]).toContain("PLAINTEXT://127.0.0.1:11");
  expect(properties["advertised.listeners"]).toBe(
    "PLAINTEXT://127.0.0.1:99,INTERNAL://127.0.0.1:12",
  );
  expect(properties["inter.broker.listener.name"]).toBe("INTERNAL");
});

test("every open listener has its security protocol, and a listener without a port does not appear", () => {
  const secure = node(1, { ports: { PLAINTEXT: 1, INTERNAL: 2, CONTROLLER: 3, SASL_SSL: 4 } });
  expect(propertiesOf({ nodes: [secure] })["listener.security.protocol.map"]).toBe(
    "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
  );
});

test("the caller's own properties win over ours and over those of security", () => {
  const properties = propertiesOf({
    security: { a: "secure" },
    overrides: { a: "own", "min.insync.replicas": "3", ...FAST_FAILOVER },
  });
  expect(properties).toMatchObject({
    a: "own",
    "min.insync.replicas": "3",
    "broker.session.timeout.ms": "3000",
  });
});

test("a value with a backslash or a line end stays one value", () => {
  expect(propertiesOf({ overrides: { path: "C:\\new\nline" } })["path"]).toBe("C:\\\\new\\nline");
});
