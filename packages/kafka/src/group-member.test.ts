import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import type { TopicPartition, TransportEvent } from "@bus/core";
import { manualClock, testHost } from "@bus/testkit";
import { fetched, Inbox, range, turn } from "../test/fake-records.ts";
import { GroupMember } from "./group-member.ts";
import { KAFKA_DEFAULTS } from "./kafka-defaults.ts";
import type { ConsumerOptions } from "./driver-options.ts";
import type { PartitionOffset } from "./kafka-driver.ts";

function lab(options: ConsumerOptions = {}) {
  const clock = manualClock();
  const events: TransportEvent[] = [];
  const inbox = new Inbox();
  const commits: (readonly PartitionOffset[])[] = [];
  const paused = new Set<number>();
  const calls: string[] = [];
  const member = new GroupMember({
    group: "group",
    options: { ...KAFKA_DEFAULTS.consumer, ...options },
    host: { ...testHost({ clock }), emit: (event) => void events.push(event) },
    deliver: inbox.deliver,
    createConsumer: () => ({
      subscribe: () => Promise.resolve(),
      pause: ({ partition }) => void paused.add(partition),
      resume: ({ partition }) => void paused.delete(partition),
      seek: ({ partition, offset }) => void calls.push(`seek ${partition} to ${offset}`),
      decoder: { name: "fake" },
      commit: (offsets) => {
        commits.push(offsets);
        return Promise.resolve();
      },
      close: () => {
        calls.push("close");
        return Promise.resolve();
      },
    }),
  });
  member.setTopics(new Map([["topic", { topic: "topic" }]]));
  const kinds = (): string[] => events.map(({ kind }) => kind);
  return { member, clock, events, kinds, inbox, commits, paused, calls };
}

function partitions(...numbers: readonly number[]): readonly TopicPartition[] {
  return numbers.map((partition) => ({ topic: "topic", partition }));
}

test("a rebalance drains first, commits what has settled, and only then lets go", async () => {
  const { member, inbox, commits, kinds } = lab();
  member.owned(partitions(0, 1));
  member.records(fetched(0, range(0, 4)));
  inbox.ack(0);
  let isReleased = false;
  void member.releasing(partitions(0, 1)).then(() => (isReleased = true));
  await turn();
  expect(inbox.newest(1).draining.aborted).toBe(true);
  expect(isReleased).toBe(false);
  inbox.release(2, 3);
  inbox.ack(1);
  await turn();
  expect(isReleased).toBe(true);
  expect(commits).toEqual([[{ topic: "topic", partition: 0, offset: 2n }]]);
  expect(kinds()).toEqual(["assigned", "rebalancing", "committed"]);
});

test("a rebalance waits for handlers as long as its budget, then tells them to stop and goes on", async () => {
  const { member, inbox, clock } = lab({ drainTimeoutMs: 500 });
  member.owned(partitions(0));
  member.records(fetched(0, [0]));
  let isReleased = false;
  void member.releasing(partitions(0)).then(() => (isReleased = true));
  await clock.advanceAsync(499);
  expect(inbox.newest(0).signal.aborted).toBe(false);
  await clock.advanceAsync(1);
  expect(inbox.newest(0).signal.aborted).toBe(true);
  expect(isReleased).toBe(false);
  await clock.advanceAsync(250);
  await turn();
  expect(isReleased).toBe(true);
});

test("a handler that heeds its signal ends the wait at once", async () => {
  const { member, inbox, clock } = lab({ drainTimeoutMs: 500 });
  member.owned(partitions(0));
  member.records(fetched(0, [0]));
  let isReleased = false;
  void member.releasing(partitions(0)).then(() => (isReleased = true));
  inbox.newest(0).signal.addEventListener("abort", () => inbox.release(0));
  await clock.advanceAsync(500);
  await turn();
  expect(isReleased).toBe(true);
});

test("a partition that is kept goes on behind what it has, one that is new begins where the group's offset says", async () => {
  const { member, inbox, events } = lab();
  member.owned(partitions(0, 1));
  member.records(fetched(0, range(0, 4)));
  inbox.ack(0, 1, 2, 3);
  await member.releasing(partitions(0, 1));
  expect(member.owned(partitions(0, 2))).toEqual([{ topic: "topic", partition: 0, offset: 4n }]);
  expect(events.filter(({ kind }) => kind === "revoked")).toEqual([
    { kind: "revoked", group: "group", partitions: partitions(1), lost: false },
  ]);
  expect(events.at(-1)).toEqual({ kind: "assigned", group: "group", partitions: partitions(2) });
});

test("results of a partition that is gone are void, also when it comes back", async () => {
  const { member, inbox, commits } = lab();
  member.owned(partitions(0, 1));
  member.records(fetched(0, [0, 1]));
  const late = inbox.newest(0);
  member.owned(partitions(1));
  member.owned(partitions(0, 1));
  member.records(fetched(0, [0, 1]));
  late.settle({ kind: "ack" });
  expect(member.partitions.find({ topic: "topic", partition: 0 })?.position).toBe(0);
  expect(commits).toEqual([]);
});

test("a lost partition that comes back untouched goes on without repeating what was handled", async () => {
  const { member, inbox, events } = lab();
  member.owned(partitions(0));
  member.records(fetched(0, range(0, 3)));
  inbox.ack(0, 1);
  member.lost(partitions(0));
  expect(member.partitions.describe()).toEqual([]);
  inbox.release(2);
  expect(member.owned(partitions(0))).toEqual([]);
  member.records(fetched(0, range(0, 5)));
  await turn();
  expect(inbox.offsets.slice(3)).toEqual([2, 3, 4]);
  expect(events.filter(({ kind }) => kind === "revoked" || kind === "assigned").length).toBe(3);
});

test("a lost partition with which somebody else went on is begun anew, with a warning", async () => {
  const { member, inbox, kinds } = lab();
  member.owned(partitions(0));
  member.records(fetched(0, range(0, 3)));
  inbox.ack(0);
  member.lost(partitions(0));
  inbox.release(1, 2);
  member.owned(partitions(0));
  member.records(fetched(2, [2, 3]));
  await turn();
  expect(inbox.offsets.slice(3)).toEqual([2, 3]);
  expect(kinds()).toContain("warning");
});

test("a held topic is neither fetched nor delivered until it is released", async () => {
  const { member, inbox, paused } = lab();
  member.setTopics(new Map([["topic", { topic: "topic", held: true }]]));
  member.owned(partitions(0));
  expect(paused.has(0)).toBe(true);
  member.records(fetched(0, [0]));
  expect(inbox.offsets).toEqual([]);
  member.setTopics(new Map([["topic", { topic: "topic" }]]));
  await turn();
  expect(inbox.offsets).toEqual([0]);
  expect(paused.has(0)).toBe(false);
});

test("a pause outlasts a rebalance that keeps the partition, and ends with one that does not", async () => {
  const { member, paused } = lab();
  member.owned(partitions(0, 1));
  member.pause({ topic: "topic", partition: 0 });
  member.pause({ topic: "topic", partition: 1 });
  await member.releasing(partitions(0, 1));
  member.owned(partitions(0));
  expect(paused.has(0)).toBe(true);
  member.owned(partitions(0, 1));
  expect(paused.has(1)).toBe(false);
  member.resume({ topic: "topic", partition: 0 });
  await turn();
  expect(paused.has(0)).toBe(false);
});

test("where a group begins at latest is committed before it has handled anything", async () => {
  const { member, clock, commits } = lab({ autoOffsetReset: "latest" });
  member.owned(partitions(0));
  member.records(fetched(42, [], { nextPosition: 42 }));
  await clock.advanceAsync(1_000);
  expect(commits).toEqual([[{ topic: "topic", partition: 0, offset: 42n }]]);
});

test("positions are committed after commitIntervalMs, or at once after commitEveryMessages", async () => {
  const slow = lab({ commitIntervalMs: 7_000, commitEveryMessages: 3 });
  slow.member.owned(partitions(0));
  slow.member.records(fetched(0, range(0, 5)));
  slow.inbox.ack(0, 1);
  await slow.clock.advanceAsync(6_999);
  expect(slow.commits).toEqual([]);
  await slow.clock.advanceAsync(1);
  expect(slow.commits).toEqual([[{ topic: "topic", partition: 0, offset: 2n }]]);
  slow.inbox.ack(2, 3, 4);
  await turn();
  expect(slow.commits.at(-1)).toEqual([{ topic: "topic", partition: 0, offset: 5n }]);
});

test.each([
  [{ maxInFlightMessages: 3 }, 3, ["inFlight"]],
  [{ maxInFlightBytes: 40 }, 4, ["inFlight"]],
  [{}, 10, []],
] as const)("with %j at most %i messages are in flight", (options, most, pausedBy) => {
  const { member, inbox } = lab(options);
  member.owned(partitions(0));
  member.records(fetched(0, range(0, 10)));
  expect(inbox.offsets).toHaveLength(most);
  expect(member.partitions.describe()[0]?.pausedBy).toEqual(pausedBy);
});

test("a partition with maxUncommittedMessages settled behind an unsettled one pauses", () => {
  const { member, inbox, paused } = lab({ maxUncommittedMessages: 2 });
  member.owned(partitions(0));
  member.records(fetched(0, range(0, 4)));
  inbox.ack(1);
  expect(paused.has(0)).toBe(false);
  inbox.ack(2);
  expect(paused.has(0)).toBe(true);
});

test("close drains, commits, leaves, and counts what it abandoned", async () => {
  const { member, inbox, clock, commits, calls } = lab();
  member.owned(partitions(0));
  member.records(fetched(0, range(0, 3)));
  inbox.ack(0);
  const closing = member.close(100);
  inbox.release(2);
  await clock.advanceAsync(400);
  expect(await closing).toBe(1);
  expect(commits.length).toBe(1);
  expect(calls).toEqual(["close"]);
  expect(member.state.kind).toBe("closed");
  await clock.advanceAsync(10_000);
  expect(clock.pending).toBe(0);
});

test("a membership that ends says why, and its deliveries are void", () => {
  const { member, inbox, events } = lab();
  member.owned(partitions(0));
  member.records(fetched(0, [0]));
  const error = new BusTransportError("BUS_NO_OFFSET", "no offset");
  member.ended(error);
  expect(inbox.newest(0).signal.aborted).toBe(true);
  expect(member.state).toMatchObject({ kind: "ended", error });
  expect(events.at(-1)).toEqual({ kind: "subscriptionEnded", group: "group", error });
});

test("what cannot be read stands still with a warning, the rest goes on, and it is read again by itself", () => {
  const { member, inbox, paused, kinds, clock, calls } = lab();
  member.owned(partitions(0, 1));
  member.records(fetched(0, [0]));
  const error = new BusTransportError("BUS_CORRUPT", "bytes");
  member.unreadable({ topic: "topic", partition: 0 }, error);
  member.records(fetched(0, [0], { partition: 1 }));
  expect(paused.has(0)).toBe(true);
  expect(inbox.offsets).toEqual([0, 0]);
  expect(kinds()).toContain("warning");
  expect(member.stuck).toEqual([{ topic: "topic", partition: 0, error, sinceMs: 0 }]);
  clock.advance(2_000);
  expect([paused.has(0), calls]).toEqual([false, ["seek 0 to 1"]]);
  member.records(fetched(1, [1]));
  expect([member.stuck, inbox.offsets]).toEqual([[], [0, 0, 1]]);
});

test("what may be lost is passed over with a warning that names the offsets", () => {
  const skipUnreadable = [{ topic: "topic", partition: 0, from: 0, to: 7 }];
  const { member, events, clock, calls } = lab({ skipUnreadable });
  member.owned(partitions(0, 1));
  for (const partition of [0, 1]) {
    member.records(fetched(0, [], { partition }));
    for (let attempt = 0; attempt < 2; attempt += 1) {
      member.unreadable({ topic: "topic", partition }, new BusTransportError("BUS_CORRUPT", "x"));
      clock.advance(3_000);
    }
  }
  const warnings = events.flatMap((event) => (event.kind === "warning" ? [event.message] : []));
  expect(warnings).toContain(
    "offsets 0 to 6 of topic[0] cannot be read and are passed over, as consumer.skipUnreadable says",
  );
  expect(calls).toEqual(["seek 0 to 0", "seek 0 to 7", "seek 1 to 0", "seek 1 to 0"]);
});
