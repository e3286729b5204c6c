import { expect, test } from "vitest";
import type { Inbox } from "../test/fake-records.ts";
import { fetched, range, turn } from "../test/fake-records.ts";
import { ownPartition } from "../test/own-partition.ts";

test("records come as deliveries in offset order, and only their settled prefix may be committed", () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(5, [5, 6, 9]));
  expect(inbox.offsets).toEqual([5, 6, 9]);
  inbox.ack(6, 9);
  expect(partition.position).toBe(5);
  inbox.ack(5);
  expect(partition.position).toBe(10);
});

test("a fetch that brings nothing visible moves the position past what is hidden", () => {
  const { partition, inbox, heard } = ownPartition();
  partition.accept(fetched(0, [0, 1]));
  inbox.ack(0, 1);
  partition.accept(fetched(2, [], { nextPosition: 7 }));
  expect(partition.position).toBe(7);
  expect(heard.moved.at(-1)).toBe(7);
  expect(partition.nextFetch).toBe(7);
});

test("deliveries stop at the in-flight bound, fetching too, and go on when some are settled", async () => {
  const { partition, inbox, heard } = ownPartition({ maxMessages: 4 });
  partition.accept(fetched(0, range(0, 10)));
  expect(inbox.offsets).toEqual([0, 1, 2, 3]);
  expect(partition.isFetching).toBe(false);
  inbox.ack(0, 1);
  expect(inbox.offsets).toEqual([0, 1, 2, 3]);
  await turn();
  expect(inbox.offsets.length).toBeGreaterThan(4);
  while (inbox.deliveries.length < 10) {
    inbox.ack(...range(0, inbox.deliveries.length).filter((offset) => isOpen(inbox, offset)));
    await turn();
  }
  expect(inbox.offsets).toEqual(range(0, 10));
  expect(partition.isFetching).toBe(true);
  expect(heard.flow).toEqual([false, true]);
});

function isOpen(inbox: Inbox, offset: number): boolean {
  const delivery = inbox.newest(offset);
  return "ticket" in delivery && delivery.ticket !== -1;
}

test("a settlement never delivers from within: the next messages come in a turn of their own", async () => {
  const { partition, inbox } = ownPartition({ maxMessages: 1 });
  partition.accept(fetched(0, [0, 1]));
  inbox.ack(0);
  expect(inbox.offsets).toEqual([0]);
  await turn();
  expect(inbox.offsets).toEqual([0, 1]);
});

test("a delivery that settles twice is a defect that throws", () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(0, [0]));
  inbox.ack(0);
  expect(() => inbox.ack(0)).toThrow("delivery of topic[0] offset 0 was settled twice");
});

test("records that were received before are dropped and counted", () => {
  const { partition, inbox, heard } = ownPartition();
  partition.accept(fetched(0, range(0, 4)));
  partition.accept(fetched(1, range(1, 6)));
  expect(inbox.offsets).toEqual(range(0, 6));
  expect(heard.duplicates).toEqual([3]);
});

test("a drain gives back what has not started and commits what ends meanwhile", async () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(0, range(0, 4)));
  let idle = 0;
  partition.drain(() => (idle += 1));
  expect(inbox.newest(0).draining.aborted).toBe(true);
  expect(inbox.newest(0).signal.aborted).toBe(false);
  inbox.release(1, 2, 3);
  expect(idle).toBe(0);
  inbox.ack(0);
  expect(idle).toBe(1);
  expect(partition.position).toBe(1);
});

test("a partition that is kept offers again what was given back, in offset order, before anything new", async () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(0, range(0, 5)));
  partition.drain(() => undefined);
  inbox.release(3, 1, 2, 4);
  inbox.ack(0);
  partition.accept(fetched(5, [5, 6]));
  expect(inbox.deliveries.length).toBe(5);
  partition.restart();
  await turn();
  expect(inbox.offsets.slice(5)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(inbox.newest(3).draining.aborted).toBe(false);
  expect(inbox.newest(3).attempt).toBe(1);
  inbox.ack(...range(1, 7));
  expect(partition.position).toBe(7);
});

test("a partition that is kept waits for the last handler of before, so that order holds", async () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(0, [0, 1]));
  partition.drain(() => undefined);
  inbox.release(1);
  partition.abort();
  partition.restart();
  await turn();
  expect(inbox.offsets).toEqual([0, 1]);
  inbox.ack(0);
  await turn();
  expect(inbox.offsets).toEqual([0, 1, 1]);
  inbox.ack(1);
  expect(partition.position).toBe(2);
});

test("another drain before the restart is through holds it back", async () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(0, [0, 1]));
  partition.drain(() => undefined);
  inbox.release(1);
  partition.restart();
  partition.drain(() => undefined);
  inbox.ack(0);
  await turn();
  expect(inbox.offsets).toEqual([0, 1]);
  expect(partition.isDrained).toBe(true);
});

test("what settles after the end is accepted and ignored", () => {
  const { partition, inbox, heard } = ownPartition();
  partition.accept(fetched(0, [0, 1]));
  inbox.ack(0);
  partition.end();
  expect(inbox.newest(1).draining.aborted && inbox.newest(1).signal.aborted).toBe(true);
  inbox.ack(1);
  expect(partition.position).toBe(1);
  expect(heard.acknowledged).toBe(1);
});

test("a lost partition ignores acknowledgements, and goes on where it was when nobody else has", async () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(0, range(0, 4)));
  inbox.ack(0, 2);
  partition.lose();
  expect(partition.isOwned).toBe(false);
  expect(inbox.newest(1).signal.aborted).toBe(true);
  inbox.ack(1);
  inbox.release(3);
  const again = fetched(0, range(0, 6));
  expect(partition.isVoidedBy(again)).toBe(false);
  partition.accept(again);
  await turn();
  // 2 was settled before the loss; 1 settled after it, which does not count.
  expect(inbox.offsets.slice(4)).toEqual([1, 3, 4, 5]);
  inbox.ack(1, 3, 4, 5);
  expect(partition.position).toBe(6);
});

test("a lost partition is void when the group's position has passed it, or was set back", () => {
  const { partition, inbox } = ownPartition();
  partition.accept(fetched(10, range(10, 20)));
  inbox.ack(10, 11, 12);
  partition.noteCommitted(12);
  partition.lose();
  expect(partition.isVoidedBy(fetched(12, []))).toBe(false);
  expect(partition.isVoidedBy(fetched(13, []))).toBe(false);
  expect(partition.isVoidedBy(fetched(14, []))).toBe(true);
  expect(partition.isVoidedBy(fetched(11, []))).toBe(true);
});

test("a log that ends before what was received from it makes the partition void", () => {
  const { partition } = ownPartition();
  partition.accept(fetched(100, range(100, 110)));
  expect(partition.isVoidedBy(fetched(0, [0], { end: 1 }))).toBe(true);
  expect(partition.isVoidedBy(fetched(105, [105], { end: 200 }))).toBe(false);
});

test("a paused partition is neither fetched nor delivered, for as long as any reason stands", async () => {
  const { partition, inbox } = ownPartition();
  partition.pause("scheduler");
  partition.pause("held");
  partition.accept(fetched(0, [0]));
  partition.resume("scheduler");
  await turn();
  expect(inbox.offsets).toEqual([]);
  expect(partition.describe().pausedBy).toEqual(["held"]);
  partition.resume("held");
  await turn();
  expect(inbox.offsets).toEqual([0]);
});

test("too much settled behind one message pauses the partition with an alarm, until it moves", async () => {
  const { partition, inbox, heard } = ownPartition({ maxUncommitted: 4 });
  partition.accept(fetched(0, range(0, 6)));
  inbox.ack(1, 2, 3);
  expect(partition.isFetching).toBe(true);
  inbox.ack(4);
  expect(partition.describe().pausedBy).toEqual(["uncommitted"]);
  expect(heard.stalled.map(({ message }) => message)).toEqual([
    "4 settled messages of topic[0] wait behind offset 0",
  ]);
  partition.accept(fetched(6, [6]));
  expect(inbox.offsets).toEqual(range(0, 6));
  inbox.ack(0);
  await turn();
  expect(inbox.offsets).toEqual(range(0, 7));
});

test("what everything waits for is offered again even while the partition is paused for what waits", async () => {
  const { partition, inbox } = ownPartition({ maxUncommitted: 2 });
  partition.accept(fetched(0, range(0, 4)));
  inbox.ack(1, 2, 3);
  partition.drain(() => undefined);
  inbox.release(0);
  partition.restart();
  await turn();
  expect(inbox.offsets).toEqual([0, 1, 2, 3, 0]);
  inbox.ack(0);
  expect(partition.position).toBe(4);
});

test("a delivery that nobody wanted is offered again after a while, and nothing overtakes it", async () => {
  const { partition, inbox, clock } = ownPartition();
  partition.accept(fetched(0, [0, 1]));
  inbox.release(0);
  expect(inbox.newest(1).draining.aborted).toBe(true);
  inbox.release(1);
  clock.advance(999);
  await turn();
  expect(inbox.deliveries.length).toBe(2);
  clock.advance(1);
  await turn();
  expect(inbox.offsets).toEqual([0, 1, 0, 1]);
});

test("the state names the delivery that holds the commit back, and since when", () => {
  const { partition, inbox, clock } = ownPartition();
  clock.advance(500);
  partition.accept(fetched(7, [7, 8]));
  inbox.ack(8);
  partition.noteCommitted(7);
  expect(partition.describe()).toEqual({
    topic: "topic",
    partition: 0,
    inFlightMessages: 1,
    inFlightBytes: 10,
    committedOffset: 7n,
    oldestUnsettled: { offset: 7n, deliveredAtMs: 500, timestampMs: 1 },
    pausedBy: [],
  });
});
