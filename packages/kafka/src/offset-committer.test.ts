import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { InFlightGate } from "@bus/core/adapter";
import { manualClock } from "@bus/testkit";
import { fetched, Inbox, range, turn } from "../test/fake-records.ts";
import type { PartitionOffset } from "./kafka-driver.ts";
import { OffsetCommitter } from "./offset-committer.ts";
import { OwnedPartition } from "./owned-partition.ts";

interface Request {
  readonly offsets: readonly PartitionOffset[];
  resolve(): void;
  reject(error: unknown): void;
}

function lab(everyMessages = 1_000) {
  const clock = manualClock();
  const requests: Request[] = [];
  const failures: unknown[] = [];
  const committed: number[] = [];
  const committer = new OffsetCommitter({
    clock,
    intervalMs: 100,
    everyMessages,
    commit: (offsets) =>
      new Promise((resolve, reject) => void requests.push({ offsets, resolve, reject })),
    onCommitted: (partitions) => void committed.push(partitions),
    onFailed: (error) => void failures.push(error),
  });
  const gate = new InFlightGate({ maxMessages: 1_000, maxBytes: 1_000_000 });
  const own = (number: number) => {
    const inbox = new Inbox();
    const partition = new OwnedPartition({
      topic: "topic",
      partition: number,
      gate,
      clock,
      random: () => 0,
      deliver: inbox.deliver,
      maxUncommittedMessages: 1_000,
      mayBeSkipped: [],
      listener: {
        flowChanged: () => undefined,
        acknowledged: () => committer.acknowledged(),
        moved: (moved) => committer.moved(moved),
        duplicates: () => undefined,
        stalled: () => undefined,
        readAgain: () => undefined,
        recovered: () => undefined,
        skipped: () => undefined,
      },
    });
    partition.accept(fetched(0, range(0, 100), { partition: number }));
    return { partition, inbox };
  };
  return { clock, requests, failures, committed, committer, own };
}

test("positions that moved are committed together, one interval after the first, in one request", async () => {
  const { clock, requests, committed, own } = lab();
  const [a, b] = [own(0), own(1)];
  a.inbox.ack(0);
  clock.advance(60);
  b.inbox.ack(0, 1);
  expect(requests).toEqual([]);
  clock.advance(40);
  expect(requests[0]?.offsets).toEqual([
    { topic: "topic", partition: 0, offset: 1n },
    { topic: "topic", partition: 1, offset: 2n },
  ]);
  requests[0]?.resolve();
  await turn();
  expect(committed).toEqual([2]);
  expect(a.partition.committed).toBe(1);
  expect(clock.pending).toBe(0);
});

test("so many acknowledgements commit at once", () => {
  const { requests, own } = lab(3);
  const { inbox } = own(0);
  inbox.ack(0, 1);
  expect(requests.length).toBe(0);
  inbox.ack(2);
  expect(requests.length).toBe(1);
});

test("never two requests at a time, and what moved during one is committed after it", async () => {
  const { clock, requests, own } = lab();
  const { inbox } = own(0);
  inbox.ack(0);
  clock.advance(100);
  inbox.ack(1);
  // The timer fires while the request is under way; what moved must not be forgotten.
  clock.advance(1_000);
  expect(requests.length).toBe(1);
  requests[0]?.resolve();
  await turn();
  clock.advance(100);
  expect(requests[1]?.offsets).toEqual([{ topic: "topic", partition: 0, offset: 2n }]);
});

test("a failed commit is told and made again", async () => {
  const { clock, requests, failures, own } = lab();
  const { inbox } = own(0);
  inbox.ack(0);
  clock.advance(100);
  requests[0]?.reject(new BusTransportError("BUS_TRANSPORT", "no answer"));
  await turn();
  expect(failures.length).toBe(1);
  clock.advance(100);
  expect(requests[1]?.offsets).toEqual([{ topic: "topic", partition: 0, offset: 1n }]);
});

test("a commit that another owner forbids is no failure", async () => {
  const { clock, requests, failures, own } = lab();
  own(0).inbox.ack(0);
  clock.advance(100);
  requests[0]?.reject(new BusTransportError("BUS_FENCED", "another generation"));
  await turn();
  expect(failures).toEqual([]);
});

test("a partition that is gone or lost is not committed, also not after a failure", async () => {
  const { clock, requests, own } = lab();
  const [a, b] = [own(0), own(1)];
  a.inbox.ack(0);
  b.inbox.ack(0);
  b.partition.lose();
  clock.advance(100);
  expect(requests[0]?.offsets.map(({ partition }) => partition)).toEqual([0]);
  a.partition.end();
  requests[0]?.reject(new BusTransportError("BUS_TRANSPORT", "no answer"));
  await turn();
  clock.advance(1_000);
  expect(requests.length).toBe(1);
});

test("a flush waits for the request under way and for its own", async () => {
  const { clock, requests, committer, own } = lab();
  const { inbox } = own(0);
  inbox.ack(0);
  clock.advance(100);
  inbox.ack(1);
  let done = 0;
  void committer.flush().then(() => (done += 1));
  void committer.flush().then(() => (done += 1));
  requests[0]?.resolve();
  await turn();
  expect(requests[1]?.offsets).toEqual([{ topic: "topic", partition: 0, offset: 2n }]);
  expect(done).toBe(0);
  requests[1]?.resolve();
  await turn();
  expect(done).toBe(2);
  expect(requests.length).toBe(2);
});

test("after close nothing is committed and no timer is left", () => {
  const { clock, requests, committer, own } = lab();
  const { inbox } = own(0);
  inbox.ack(0);
  committer.close();
  inbox.ack(1);
  clock.advance(10_000);
  expect(requests).toEqual([]);
  expect(clock.pending).toBe(0);
});
