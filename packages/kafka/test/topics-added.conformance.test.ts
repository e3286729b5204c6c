import { createEventBus } from "@bus/core";
import type { EventBus, TransportEvent } from "@bus/core";
import { until } from "@bus/testkit";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KafkaDriverName } from "../src/index.ts";
import { KafkaLab } from "./kafka-lab.ts";

let lab: KafkaLab;

beforeAll(async () => {
  lab = await KafkaLab.start();
});

afterAll(() => lab[Symbol.asyncDispose]());

interface Member {
  readonly bus: EventBus;
  readonly events: TransportEvent[];
  readonly received: string[];
}

async function member(driver: KafkaDriverName, group: string, topic: string): Promise<Member> {
  const bus = createEventBus({ group, transport: lab.process({ driver }) });
  const one: Member = { bus, events: [], received: [] };
  bus.observe({ transport: (event) => void one.events.push(event) });
  await listen(one, topic);
  await bus.start();
  return one;
}

async function listen({ bus, received }: Member, topic: string): Promise<void> {
  await bus.subscribe(topic, (message) => {
    received.push(`${topic}/${Buffer.from(message.value ?? []).toString()}`);
  });
}

function interruptions(events: readonly TransportEvent[]): readonly string[] {
  return events.map(({ kind }) => kind).filter((kind) => ["rebalancing", "revoked"].includes(kind));
}

test.each([
  // Members of an eager group join anew together: once for all five topics.
  ["kafkajs", ["rebalancing"]],
  ["confluent", []],
] as const)(
  "five topics added to one member with %s cost the other member %j, and nothing is left moving",
  async (driver, cost) => {
    const group = `added-${driver}`;
    const base = `${group}-base`;
    const added = Array.from({ length: 5 }, (_, index) => `${group}-${index}`);
    await lab.createTopic(base, 4);
    for (const topic of added) await lab.createTopic(topic, 1);
    const first = await member(driver, group, base);
    const second = await member(driver, group, base);
    const partitionsOf = (one: Member): number =>
      one.bus
        .inspect()
        .groups.flatMap(({ partitions }) => partitions)
        .filter(({ topic }) => topic === base).length;
    await until(() => partitionsOf(first) === 2 && partitionsOf(second) === 2, {
      timeoutMs: 20_000,
      what: "each to have two partitions",
    });
    second.events.length = 0;
    await Promise.all(added.map((topic) => listen(first, topic)));
    const publisher = createEventBus({ transport: lab.process({ driver }) });
    await publisher.start();
    for (const topic of added) await publisher.publish(topic, Buffer.from("added"));
    await until(() => first.received.length === 5, { timeoutMs: 20_000, what: "each new topic" });
    expect(first.received.toSorted()).toEqual(added.map((topic) => `${topic}/added`));
    expect(interruptions(second.events)).toEqual(cost);
    const { groups } = await lab.admin.describeGroups([group]);
    expect(groups[0]?.members).toHaveLength(2);
    first.events.length = 0;
    second.events.length = 0;
    await sleep(3_000);
    expect([...interruptions(first.events), ...interruptions(second.events)]).toEqual([]);
    await Promise.all([first, second].map(({ bus }) => bus.close()));
    await publisher.close();
  },
);
