import type { ActiveSubscription, LagReader, PartitionLag, PartitionState } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { LagPoller } from "./lag-poller.ts";

const LIMITS = { maxLagMessages: 1000, maxLagMs: 30_000 };
const NOW = 1_000_000;
const open = new AbortController().signal;

function lag(topic: string, partition: number, lagMessages: number): PartitionLag {
  return {
    topic,
    partition,
    committed: 0n,
    low: 0n,
    high: BigInt(lagMessages),
    lagMessages: BigInt(lagMessages),
  };
}

function subscription(
  topic: string,
  group: string,
  oldest: readonly (readonly [partition: number, timestampMs: number])[] = [],
): ActiveSubscription {
  const states = oldest.map(([partition, timestampMs]): PartitionState => ({
    topic,
    partition,
    inFlightMessages: 1,
    inFlightBytes: 1,
    committedOffset: 0n,
    oldestUnsettled: { offset: 0n, deliveredAtMs: NOW, timestampMs },
    pausedBy: [],
  }));
  return {
    spec: { topic, group, ordering: "key", concurrency: 1, plugins: {} },
    partitions: () => states,
  };
}

interface Asked {
  readonly reads: string[];
  readonly lookUps: string[];
}

function readerOf(
  partitions: readonly PartitionLag[],
  late: readonly number[] = [],
): { readonly reader: LagReader; readonly asked: Asked } {
  const asked: Asked = { reads: [], lookUps: [] };
  const reader: LagReader = {
    read: async ({ group, topics }) => {
      asked.reads.push(`${group}: ${topics.join(" ")}`);
      return { partitions: partitions.filter(({ topic }) => topics.includes(topic)), unknown: [] };
    },
    olderThan: async (asking, olderThanMs) => {
      asked.lookUps.push(
        `${asking.map(({ partition }) => partition).join(" ")} older than ${olderThanMs}`,
      );
      return asking.filter(({ partition }) => late.includes(partition));
    },
  };
  return { reader, asked };
}

function pollerOf(reader: LagReader, subscriptions: readonly ActiveSubscription[]): LagPoller {
  return new LagPoller(
    { reader, clock: manualClock({ startMs: NOW }), subscriptions: () => subscriptions },
    LIMITS,
  );
}

test("each group is read once, with all its topics", async () => {
  const { reader, asked } = readerOf([lag("a", 0, 0), lag("b", 0, 0), lag("c", 0, 0)]);
  const poll = await pollerOf(reader, [
    subscription("a", "g"),
    subscription("b", "h"),
    subscription("c", "g"),
  ]).poll(open);
  expect(asked).toEqual({ reads: ["g: a c", "h: b"], lookUps: [] });
  expect(poll.groups).toEqual(["g", "h"]);
  expect(poll.partitions.map(({ group, topic }) => group + topic)).toEqual(["ga", "gc", "hb"]);
});

test("the age is that of the oldest unsettled message where it is at hand", async () => {
  const { reader, asked } = readerOf([lag("a", 0, 5), lag("a", 1, 5)]);
  const poll = await pollerOf(reader, [
    subscription("a", "g", [
      [0, NOW - 30_000],
      [1, NOW - 30_001],
    ]),
  ]).poll(open);
  expect(poll.partitions.map(({ oldestAgeMs, late }) => ({ oldestAgeMs, late }))).toEqual([
    { oldestAgeMs: 30_000, late: false },
    { oldestAgeMs: 30_001, late: true },
  ]);
  expect(asked.lookUps).toEqual([]);
});

test("where it is not, one look-up asks about the partitions with lag, and only those", async () => {
  const { reader, asked } = readerOf(
    [lag("a", 0, 0), lag("a", 1, 5), lag("a", 2, 6), lag("a", 3, 7)],
    [2],
  );
  const poll = await pollerOf(reader, [subscription("a", "g", [[1, NOW]])]).poll(open);
  expect(asked.lookUps).toEqual(["2 3 older than 30000"]);
  expect(poll.partitions.map(({ late }) => late)).toEqual([false, false, true, false]);
  expect(poll.partitions.map(({ oldestAgeMs }) => oldestAgeMs)).toEqual([
    undefined,
    0,
    30_000,
    undefined,
  ]);
});

test("an idle topic costs no look-up and has no age, whatever is being settled", async () => {
  const { reader, asked } = readerOf([lag("a", 0, 0)]);
  const poll = await pollerOf(reader, [subscription("a", "g", [[0, 0]])]).poll(open);
  expect(asked.lookUps).toEqual([]);
  expect(poll.partitions[0]).toMatchObject({ oldestAgeMs: undefined, late: false });
});

test("no look-up is made when the count has decided", async () => {
  const { reader, asked } = readerOf([lag("a", 0, 1001), lag("a", 1, 5)]);
  await pollerOf(reader, [subscription("a", "g")]).poll(open);
  expect(asked.lookUps).toEqual([]);
});

test("a clock behind the broker's makes no negative age", async () => {
  const { reader } = readerOf([lag("a", 0, 1)]);
  const poll = await pollerOf(reader, [subscription("a", "g", [[0, NOW + 5000]])]).poll(open);
  expect(poll.partitions[0]?.oldestAgeMs).toBe(0);
});

test("a reader that fails makes every topic of the group unknown, and no other group's", async () => {
  const { reader } = readerOf([lag("c", 0, 0)]);
  const failing: LagReader = {
    ...reader,
    read: (query) => (query.group === "g" ? Promise.reject(new Error("down")) : reader.read(query)),
  };
  const poll = await pollerOf(failing, [
    subscription("a", "g"),
    subscription("b", "g"),
    subscription("c", "h"),
  ]).poll(open);
  expect(
    poll.unknown.map(({ group, topic, partition, error }) => [
      group,
      topic,
      partition,
      String(error),
    ]),
  ).toEqual([
    ["g", "a", -1, "Error: down"],
    ["g", "b", -1, "Error: down"],
  ]);
  expect(poll.partitions.map(({ topic }) => topic)).toEqual(["c"]);
});

test("a topic about which the reader says nothing is unknown", async () => {
  const { reader } = readerOf([lag("a", 0, 0)]);
  const poll = await pollerOf(reader, [subscription("a", "g"), subscription("b", "g")]).poll(open);
  expect(poll.unknown.map(({ topic, partition }) => [topic, partition])).toEqual([["b", -1]]);
});

test("a look-up that fails makes the partitions that it was about unknown", async () => {
  const { reader } = readerOf([lag("a", 0, 0), lag("a", 1, 1)]);
  const failing: LagReader = { ...reader, olderThan: () => Promise.reject(new Error("down")) };
  const poll = await pollerOf(failing, [subscription("a", "g")]).poll(open);
  expect(poll.unknown.map(({ partition }) => partition)).toEqual([1]);
});

test("a reader that never answers and ignores its signal does not keep a poll waiting", async () => {
  const controller = new AbortController();
  const deaf: LagReader = {
    read: () => new Promise(() => undefined),
    olderThan: () => Promise.resolve([]),
  };
  const polling = pollerOf(deaf, [subscription("a", "g")]).poll(controller.signal);
  controller.abort(new Error("too late"));
  const poll = await polling;
  expect(poll.unknown.map(({ topic, error }) => [topic, String(error)])).toEqual([
    ["a", "Error: too late"],
  ]);
});
