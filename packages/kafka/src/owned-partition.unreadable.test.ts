import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { fetched, range, turn } from "../test/fake-records.ts";
import { ownPartition } from "../test/own-partition.ts";

const CORRUPT = new BusTransportError("BUS_CORRUPT", "bytes are not what they should be");

test("records that cannot be read stop the partition behind the last readable one", () => {
  const { partition, inbox, heard } = ownPartition();
  partition.accept(fetched(0, [0, 1, 2], { brokenAfter: 1 }));
  expect(inbox.offsets).toEqual([0, 1]);
  expect(heard.stalled.map(({ code }) => code)).toEqual(["BUS_CORRUPT"]);
  expect(partition.isFetching).toBe(false);
  inbox.ack(0, 1);
  expect(partition.position).toBe(2);
  expect(partition.unreadable).toMatchObject({ error: { code: "BUS_CORRUPT" }, sinceMs: 0 });
});

test("what could not be read is read again after a second, then after longer and longer, from the same offset", () => {
  const { partition, heard, clock } = ownPartition();
  partition.accept(fetched(0, range(0, 3)));
  partition.fail(CORRUPT);
  for (const waitMs of [1_000, 2_000, 4_000]) {
    clock.advance(waitMs - 1);
    expect(partition.isFetching).toBe(false);
    clock.advance(1);
    expect(partition.isFetching).toBe(true);
    expect(heard.readAgain.splice(0)).toEqual([3]);
    partition.fail(CORRUPT);
  }
  expect(heard.stalled).toHaveLength(1);
});

test("a partition that can be read again goes on, and loses and repeats nothing", () => {
  const { partition, inbox, heard, clock } = ownPartition();
  partition.accept(fetched(0, [0, 1, 2], { brokenAfter: 1 }));
  // On its way when the records were found broken: behind what is still to be read.
  partition.accept(fetched(3, [3, 4]));
  expect(inbox.offsets).toEqual([0, 1]);
  clock.advance(1_000);
  expect(heard.readAgain).toEqual([2]);
  partition.accept(fetched(5, [5]));
  expect(partition.unreadable).toBeDefined();
  partition.accept(fetched(2, [2, 3, 4]));
  expect(inbox.offsets).toEqual([0, 1, 2, 3, 4]);
  expect([partition.unreadable, heard.recovered, partition.isFetching]).toEqual([
    undefined,
    [2],
    true,
  ]);
  expect(clock.pending).toBe(0);
});

test("records that come while the next attempt waits end the wait", () => {
  const { partition, inbox, clock } = ownPartition();
  partition.accept(fetched(0, [0]));
  partition.fail(CORRUPT);
  partition.accept(fetched(1, [1]));
  expect([inbox.offsets, partition.isFetching, clock.pending]).toEqual([[0, 1], true, 0]);
});

test("records before those that cannot be read are delivered when there is room for them", async () => {
  const { partition, inbox, heard, clock } = ownPartition({ maxMessages: 2 });
  partition.accept(fetched(0, range(0, 4)));
  partition.fail(CORRUPT);
  inbox.ack(0, 1);
  await turn();
  inbox.ack(2);
  await turn();
  expect(inbox.offsets).toEqual([0, 1, 2, 3]);
  clock.advance(1_000);
  expect(heard.readAgain).toEqual([4]);
});

test("a rebalance that keeps the partition reads it on where it stood, at once", async () => {
  const { partition, heard, clock } = ownPartition();
  partition.accept(fetched(0, [0, 1, 2], { brokenAfter: 1 }));
  partition.drain(() => undefined);
  expect(clock.pending).toBe(0);
  expect(partition.nextFetch).toBe(2);
  partition.abort();
  partition.lose();
  expect([partition.isFetching, partition.nextFetch]).toEqual([true, undefined]);
  const other = ownPartition();
  other.partition.accept(fetched(0, [0]));
  other.partition.fail(CORRUPT);
  other.inbox.ack(0);
  other.partition.drain(() => undefined);
  other.partition.restart();
  await turn();
  expect([other.heard.readAgain, other.partition.isFetching]).toEqual([[1], true]);
  expect(heard.readAgain).toEqual([]);
});

test("what may be lost is passed over at the second failure, not at the first, and only there", () => {
  const mayBeSkipped = [{ from: 2, to: 10 }];
  const { partition, inbox, heard, clock } = ownPartition({ mayBeSkipped });
  partition.accept(fetched(0, [0, 1, 2], { brokenAfter: 1 }));
  clock.advance(1_000);
  expect(heard.skipped).toEqual([]);
  partition.fail(CORRUPT);
  clock.advance(2_000);
  expect([heard.skipped, heard.readAgain]).toEqual([[{ from: 2, to: 10 }], [2, 10]]);
  partition.accept(fetched(10, [10]));
  inbox.ack(0, 1, 10);
  expect(partition.position).toBe(11);
  partition.fail(CORRUPT);
  clock.advance(1_000);
  partition.fail(CORRUPT);
  clock.advance(2_000);
  expect(heard.skipped).toHaveLength(1);
});

test("a partition that is gone leaves no timer of an attempt", () => {
  const { partition, clock } = ownPartition();
  partition.accept(fetched(0, [0]));
  partition.fail(CORRUPT);
  partition.end();
  expect(clock.pending).toBe(0);
  partition.fail(CORRUPT);
  expect(clock.pending).toBe(0);
});
