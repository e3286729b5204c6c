import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { turn } from "../../test/fake-records.ts";
import type { TopicMetadata } from "./metadata-request.ts";
import { TopicLeaders } from "./topic-leaders.ts";

function lab() {
  const clock = manualClock();
  const questions: string[][] = [];
  const heard = { refreshed: 0, failed: 0 };
  const cluster = new Map<string, TopicMetadata | Error>();
  const leaders = new TopicLeaders({
    clock,
    random: () => 0,
    maxAgeMs: 60_000,
    loadTimeoutMs: 5_000,
    metadata: async (topics) => {
      questions.push([...topics]);
      return topics.map((topic) => {
        const found = cluster.get(topic) ?? { topic, errorCode: 3, partitions: [] };
        if (found instanceof Error) throw found;
        return found;
      });
    },
    onRefreshed: () => void (heard.refreshed += 1),
    onFailed: () => void (heard.failed += 1),
  });
  const set = (topic: string, ...nodes: number[]): void => {
    const partitions = nodes.map((leader, partition) => ({
      partition,
      leader,
      replicas: [leader],
    }));
    cluster.set(topic, { topic, errorCode: 0, partitions });
  };
  return { clock, leaders, questions, heard, cluster, set };
}

test("a topic that was looked up has partitions and leaders, one that was not has none", async () => {
  const { leaders, set } = lab();
  set("t", 1, 2, -1);
  expect(leaders.partitionCount("t")).toBeUndefined();
  await leaders.load("t");
  expect(leaders.partitionCount("t")).toBe(3);
  expect([0, 1, 2, 3].map((partition) => leaders.leaderOf("t", partition))).toEqual([1, 2, -1, -1]);
});

test("looking one topic up twice at a time is one question", async () => {
  const { leaders, questions, set } = lab();
  set("t", 1);
  await Promise.all([leaders.load("t"), leaders.load("t")]);
  expect(questions).toEqual([["t"]]);
});

test("a topic may be unknown for a moment, since brokers learn of it one after the other", async () => {
  const { clock, leaders, set } = lab();
  const loading = leaders.load("t");
  await clock.advanceAsync(500);
  set("t", 1);
  await clock.advanceAsync(1_000);
  await loading;
  expect(leaders.partitionCount("t")).toBe(1);
});

test("a topic that stays unknown is missing", async () => {
  const { clock, leaders } = lab();
  const loading = leaders.load("t").catch((error: unknown) => error);
  await clock.advanceAsync(10_000);
  expect(await loading).toMatchObject({ code: "BUS_TOPIC_MISSING", details: { topic: "t" } });
});

test("a broker that does not answer is asked again until time is up; a refusal is final at once", async () => {
  const { clock, leaders, cluster, questions } = lab();
  cluster.set("t", new BusTransportError("BUS_CONNECT", "refused"));
  const loading = leaders.load("t").catch((error: unknown) => error);
  await clock.advanceAsync(20_000);
  expect(await loading).toMatchObject({ code: "BUS_CONNECT" });
  expect(questions.length).toBeGreaterThan(3);
  cluster.set("secret", { topic: "secret", errorCode: 29, partitions: [] });
  await expect(leaders.load("secret")).rejects.toMatchObject({ code: "BUS_AUTHORIZATION" });
});

test("a refresh asks once for all topics that wait, at most every 100 ms, and tells", async () => {
  const { clock, leaders, questions, heard, set } = lab();
  set("t", 1);
  set("u", 1);
  leaders.refresh(["t"]);
  leaders.refresh(["u"]);
  leaders.refresh(["t"]);
  await turn();
  expect(questions).toEqual([["t"]]);
  set("u", 7);
  await clock.advanceAsync(100);
  expect(questions).toEqual([["t"], ["u", "t"]]);
  expect(leaders.leaderOf("u", 0)).toBe(7);
  expect(heard.refreshed).toBe(2);
  await clock.advanceAsync(1_000);
  expect(questions.length).toBe(2);
  expect(clock.pending).toBe(0);
});

test("a refresh that fails is made again with growing pauses, and keeps what was known", async () => {
  const { clock, leaders, questions, heard, cluster, set } = lab();
  set("t", 1);
  await leaders.load("t");
  cluster.set("t", new Error("down"));
  leaders.refresh(["t"]);
  await clock.advanceAsync(1_000);
  expect(heard.failed).toBe(questions.length - 1);
  expect(questions.length).toBeLessThan(7);
  expect(leaders.leaderOf("t", 0)).toBe(1);
  set("t", 2);
  await clock.advanceAsync(3_000);
  expect(leaders.leaderOf("t", 0)).toBe(2);
});

test("what is known grows old and is looked up again, so that new partitions are noticed", async () => {
  const { clock, leaders, set } = lab();
  set("t", 1);
  await leaders.load("t");
  set("t", 1, 1);
  clock.advance(60_001);
  leaders.leaderOf("t", 0);
  await turn();
  expect(leaders.partitionCount("t")).toBe(2);
});

test("after close nothing is asked and no timer is left", async () => {
  const { clock, leaders, questions, set } = lab();
  set("t", 1);
  leaders.refresh(["t"]);
  await turn();
  leaders.close();
  leaders.refresh(["t"]);
  await clock.advanceAsync(10_000);
  expect(questions.length).toBe(1);
  expect(clock.pending).toBe(0);
});
