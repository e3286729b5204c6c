import { expect, test } from "vitest";
import type { TopicDescription, TopicDrift, TopicSpec } from "@bus/core";
import type { DriverAdmin } from "./kafka-driver.ts";
import type { TopicsOptions } from "./driver-options.ts";
import { KafkaTopics } from "./kafka-topics.ts";

function lab(existing: readonly TopicDescription[], options: TopicsOptions) {
  const created: TopicSpec[] = [];
  const drifts: TopicDrift[] = [];
  const admin: Pick<DriverAdmin, "createTopics" | "describeTopics" | "deleteTopics"> = {
    createTopics: (specs) => {
      created.push(...specs);
      return Promise.resolve();
    },
    describeTopics: (topics) =>
      Promise.resolve(existing.filter(({ topic }) => topics.includes(topic))),
    deleteTopics: () => Promise.resolve(),
  };
  const topics = new KafkaTopics(
    { admin: admin as DriverAdmin },
    { ensure: "validate", perTopic: {}, ...options },
    (drift) => void drifts.push(drift),
  );
  return { topics, created, drifts };
}

const ORDERS: TopicDescription = {
  topic: "orders",
  partitions: 3,
  replicationFactor: 1,
  config: { "cleanup.policy": "delete", "retention.ms": "100" },
};

test("validate refuses a topic that does not exist, by name, and creates nothing", async () => {
  const { topics, created } = lab([ORDERS], { ensure: "validate" });
  await expect(topics.ensure(["orders", "missing"])).rejects.toMatchObject({
    code: "BUS_TOPIC_MISSING",
    message: "topic missing does not exist; create it, or set topics.ensure to create",
  });
  expect(created).toEqual([]);
});

test("create makes what is missing, as the topic's own settings say, and leaves what exists", async () => {
  const { topics, created } = lab([ORDERS], {
    ensure: "create",
    partitions: 6,
    replicationFactor: 1,
    perTopic: { audit: { partitions: 1, config: { "cleanup.policy": "compact" } } },
  });
  await topics.ensure(["orders", "audit", "other"]);
  expect(created).toEqual([
    {
      topic: "audit",
      partitions: 1,
      replicationFactor: 1,
      config: { "cleanup.policy": "compact" },
    },
    { topic: "other", partitions: 6, replicationFactor: 1 },
  ]);
});

test("skip asks nobody", async () => {
  const { topics } = lab([], { ensure: "skip" });
  await expect(topics.ensure(["missing"])).resolves.toBeUndefined();
});

test.each(["validate", "create"] as const)(
  "%s reports where an existing topic differs, and only where something was asked for",
  async (ensure) => {
    const { topics, drifts } = lab([ORDERS], {
      ensure,
      partitions: 6,
      config: { "cleanup.policy": "compact", "retention.ms": "100" },
    });
    await topics.ensure(["orders"]);
    expect(drifts).toEqual([
      { topic: "orders", property: "partitions", expected: "6", actual: "3" },
      { topic: "orders", property: "config.cleanup.policy", expected: "compact", actual: "delete" },
    ]);
  },
);
