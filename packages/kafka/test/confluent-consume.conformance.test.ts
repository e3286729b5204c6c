import { startKafka } from "@bus/tools-brokers";
import type { KafkaCluster } from "@bus/tools-brokers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConsumerOptions } from "../src/driver-options.ts";
import {
  FAST,
  commitsOnRelease,
  connectedDriver,
  failure,
  joined,
  keyOf,
  newMember,
  newTopic,
  numbered,
  partitionsOf,
  publish,
  send,
  uniqueName,
  until,
} from "./confluent-harness.ts";
import type { TestDriver } from "./confluent-harness.ts";

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafka();
});

afterAll(() => cluster.close());

function connected(consumer: ConsumerOptions = {}, producer = {}): Promise<TestDriver> {
  return connectedDriver({
    brokers: cluster.brokers,
    consumer: { ...FAST, ...consumer },
    producer,
  });
}

describe("a member with Confluent's client", () => {
  it("owns every partition before their first records, and begins where the topic says", async () => {
    await using one = await connected();
    const topic = await newTopic(one, 4);
    await publish(one, numbered({ topic, partitions: 4 }, 40));
    const { sink } = await joined(one, uniqueName("group"), topic);
    expect(partitionsOf(sink.owns)).toEqual([0, 1, 2, 3]);
    await until(() => sink.deliveries.length === 40);
    expect(sink.offsets().map(({ offset }) => offset)).toEqual([10n, 10n, 10n, 10n]);
  });

  it("begins at the end with latest, says so, and gets what comes then", async () => {
    await using one = await connected();
    const topic = await newTopic(one, 1);
    await publish(one, numbered({ topic, partitions: 1 }, 5));
    const { consumer, sink } = newMember(one, uniqueName("group"));
    await consumer.subscribe([{ topic, startFrom: "latest" }]);
    await until(() => sink.fetches.length > 0);
    expect(sink.fetches[0]).toMatchObject({ fetchedFrom: 5, nextPosition: 5, end: 5 });
    await publish(one, numbered({ topic, partitions: 1 }, 1, 5));
    await until(() => sink.deliveries.length === 1);
    expect(sink.values()).toEqual(["5"]);
  });

  it("refuses to begin without a committed offset where the topic says none, and goes on where there is one", async () => {
    await using one = await connected();
    const [topic, other, group] = [
      await newTopic(one, 1),
      await newTopic(one, 1),
      uniqueName("group"),
    ];
    await publish(one, [
      ...numbered({ topic, partitions: 1 }, 3),
      ...numbered({ topic: other, partitions: 1 }, 3),
    ]);
    const refused = newMember(one, group);
    const error = await failure(
      refused.consumer.subscribe([
        { topic, startFrom: "none" },
        { topic: other, startFrom: "earliest" },
      ]),
    );
    expect([error.code, error.details["topic"]]).toEqual(["BUS_NO_OFFSET", topic]);
    await sleep(300);
    expect(refused.sink.deliveries).toEqual([]);
    const first = await joined(one, group, topic);
    await until(() => first.sink.deliveries.length === 3);
    await first.consumer.commit([{ topic, partition: 0, offset: 2n }]);
    await first.consumer.close();
    const second = newMember(one, group);
    await second.consumer.subscribe([{ topic, startFrom: "none" }]);
    await until(() => second.sink.deliveries.length === 1);
    expect(second.sink.values()).toEqual(["2"]);
  });

  it("names a topic that does not exist, and is out of the group then", async () => {
    await using one = await connected();
    const error = await failure(joined(one, uniqueName("group"), "there-is-no-such-topic"));
    expect([error.code, error.details["topic"]]).toEqual([
      "BUS_TOPIC_MISSING",
      "there-is-no-such-topic",
    ]);
  });

  it("adds and removes topics with the partitions of the others untouched", async () => {
    await using one = await connected();
    const [first, second] = [await newTopic(one, 2), await newTopic(one, 2)];
    const { consumer, sink } = await joined(one, uniqueName("group"), first);
    await publish(one, numbered({ topic: first, partitions: 2 }, 10));
    await until(() => sink.deliveries.length === 10);
    await consumer.subscribe(
      [first, second].map((topic) => ({ topic, startFrom: "earliest" as const })),
    );
    expect(sink.owns).toHaveLength(4);
    await publish(one, [
      ...numbered({ topic: first, partitions: 2 }, 4, 10),
      ...numbered({ topic: second, partitions: 2 }, 6),
    ]);
    await until(() => sink.deliveries.length === 20);
    await consumer.subscribe([{ topic: second, startFrom: "earliest" }]);
    expect(new Set(sink.owns.map(({ topic }) => topic))).toEqual(new Set([second]));
    expect(sink.releases.flat().map(({ topic }) => topic)).toEqual([first, first]);
    await sleep(300);
    expect(sink.deliveries).toHaveLength(20);
  });

  for (const assignor of ["cooperative-sticky", "roundrobin", "range"] as const) {
    it(`drains and commits inside the rebalance, so that nothing is read twice, with ${assignor}`, async () => {
      await using one = await connected({ assignor });
      await using two = await connected({ assignor });
      const [topic, group] = [await newTopic(one, 8), uniqueName("group")];
      const first = await joined(one, group, topic);
      commitsOnRelease(first);
      const drained: string[] = [];
      const commit = first.sink.onReleasing;
      first.sink.onReleasing = async (partitions) => {
        await sleep(500);
        await commit(partitions);
        drained.push(...partitions.map(keyOf));
      };
      let isPublishing = true;
      let published = 0;
      await one.driver.producer.loadTopic(topic);
      const publishing = (async () => {
        for (; isPublishing; published += 80) {
          await Promise.all(
            numbered({ topic, partitions: 8 }, 80, published).map((record) =>
              send(one.driver.producer, record),
            ),
          );
          await sleep(20);
        }
      })();
      await until(() => first.sink.deliveries.length > 400);
      const second = await joined(two, group, topic);
      commitsOnRelease(second);
      await until(() => second.sink.deliveries.length > 400);
      isPublishing = false;
      await publishing;
      const all = (): readonly string[] => [...first.sink.values(), ...second.sink.values()];
      await until(() => new Set(all()).size === published);
      await sleep(300);
      expect(all()).toHaveLength(published);
      expect(partitionsOf([...first.sink.owns, ...second.sink.owns])).toEqual([
        0, 1, 2, 3, 4, 5, 6, 7,
      ]);
      expect(drained).toHaveLength(assignor === "cooperative-sticky" ? 4 : 8);
      expect([first.sink.losses, second.sink.losses]).toEqual([[], []]);
    });
  }

  it("hands partitions to others when it leaves, and hears nothing any more", async () => {
    await using one = await connected();
    await using two = await connected();
    const [topic, group] = [await newTopic(one, 2), uniqueName("group")];
    const first = await joined(one, group, topic);
    await publish(one, numbered({ topic, partitions: 2 }, 10));
    await until(() => first.sink.deliveries.length === 10);
    await first.consumer.commit(first.sink.offsets());
    const startedMs = Date.now();
    await first.consumer.close();
    await first.consumer.close();
    expect(Date.now() - startedMs).toBeLessThan(5_000);
    const second = await joined(two, group, topic);
    await publish(two, numbered({ topic, partitions: 2 }, 4, 10));
    await until(() => second.sink.deliveries.length === 4);
    expect(first.sink.deliveries).toHaveLength(10);
    expect(first.sink.ends).toEqual([]);
  });

  it("stops a paused partition for good, lets the others go on, and forgets nothing when it is resumed", async () => {
    await using one = await connected();
    const topic = await newTopic(one, 2);
    const { consumer, sink } = await joined(one, uniqueName("group"), topic);
    const paused = { topic, partition: 0 };
    consumer.pause(paused);
    const value = "x".repeat(100);
    for (let round = 0; round < 20; round += 1)
      await publish(
        one,
        Array.from({ length: 2_000 }, (_, index) => ({ topic, partition: index % 2, value })),
      );
    const of = (partition: number): number =>
      sink.deliveries.filter((delivery) => delivery.partition === partition).length;
    await until(() => of(1) === 20_000);
    await sleep(500);
    const leftOver = of(0);
    expect(leftOver).toBeLessThanOrEqual(4_000);
    await sleep(500);
    expect(of(0)).toBe(leftOver);
    consumer.resume(paused);
    await until(() => of(0) >= 20_000);
    expect(
      sink.deliveries
        .filter(({ partition }) => partition === 0)
        .map(({ offset }) => Number(offset)),
    ).toEqual(Array.from({ length: 20_000 }, (_, index) => index));
  });

  it("commits and joins rebalances while every partition is paused", async () => {
    await using one = await connected();
    await using two = await connected();
    const [topic, group] = [await newTopic(one, 4), uniqueName("group")];
    await publish(one, numbered({ topic, partitions: 4 }, 4_000));
    const first = await joined(one, group, topic);
    commitsOnRelease(first);
    await until(() => first.sink.deliveries.length > 0);
    for (const partition of [0, 1, 2, 3]) first.consumer.pause({ topic, partition });
    await sleep(300);
    const startedMs = Date.now();
    await first.consumer.commit(first.sink.offsets());
    expect(Date.now() - startedMs).toBeLessThan(3_000);
    const second = await joined(two, group, topic);
    await until(() => second.sink.owns.length === 2);
    expect(first.sink.owns).toHaveLength(2);
  });

  it("moves the position over what a transaction leaves behind it, and reads nothing that was aborted", async () => {
    await using one = await connected({}, { transactionalId: uniqueName("tx") });
    const topic = await newTopic(one, 1);
    const { transactions } = one.driver.producer;
    if (transactions === undefined) throw new Error("there are no transactions");
    const write = async (values: readonly string[], end: "commit" | "abort"): Promise<void> => {
      const transaction = await transactions.begin();
      const sending = values.map((value) =>
        send(transaction, { topic, partition: 0, value }).catch(() => undefined),
      );
      await one.driver.producer.flush();
      await Promise.all(sending);
      await transaction[end]();
    };
    await write(["a", "b"], "commit");
    await write(["aborted", "aborted too"], "abort");
    await write(["c"], "commit");
    const { consumer, sink } = await joined(one, uniqueName("group"), topic);
    await until(() => sink.deliveries.length === 3);
    const [ends] = await one.driver.admin.topicOffsets(topic);
    await until(() => sink.positions.get(`${topic}/0`) === Number(ends?.high));
    expect([sink.values(), ends?.high]).toEqual([["a", "b", "c"], 8n]);
    await consumer.commit(sink.offsets());
  });
});
