import { expect, test } from "vitest";
import type { GroupLag, LagReader } from "@bus/core";
import { checkLedger } from "./ledger-check.ts";
import { createLedger } from "./ledger.ts";
import type { Ledger } from "./ledger.ts";

const entry = (sequence: number, key = "a"): { topic: string; key: string; sequence: number } => ({
  topic: "orders",
  key,
  sequence,
});

function publish(ledger: Ledger, count: number, key = "a"): void {
  for (let sequence = 0; sequence < count; sequence++) ledger.published(entry(sequence, key));
}

function handle(ledger: Ledger, ...sequences: readonly number[]): void {
  for (const sequence of sequences) ledger.handling(entry(sequence)).done();
}

test("a ledger in which everything was handled once and in order has no findings", async () => {
  const ledger = createLedger();
  publish(ledger, 3);
  handle(ledger, 0, 1, 2);
  const verdict = await ledger.verdict();
  expect(verdict).toMatchObject({ published: 3, handled: 3, drained: undefined });
  expect(ledger.outstanding).toBe(0);
  expect(() => checkLedger(verdict)).not.toThrow();
});

test("a published message that no handler finished is lost, with its key and sequence", async () => {
  const ledger = createLedger();
  publish(ledger, 3);
  handle(ledger, 0, 2);
  ledger.handling(entry(1)).failed();
  const verdict = await ledger.verdict();
  expect(ledger.outstanding).toBe(1);
  expect(verdict.lost).toMatchObject({
    count: 1,
    first: [{ topic: "orders", key: "a", sequence: 1 }],
  });
  expect(() => checkLedger(verdict)).toThrow(/of 3 published messages: 1 lost: orders key a #1/);
});

test("a message handled before its publish has resolved is not lost", async () => {
  const ledger = createLedger();
  handle(ledger, 0);
  publish(ledger, 1);
  expect((await ledger.verdict()).lost.count).toBe(0);
  expect(ledger.outstanding).toBe(0);
});

test("every further run of a handled message is a duplicate, and the bound decides whether that is too many", async () => {
  const ledger = createLedger();
  publish(ledger, 2);
  handle(ledger, 0, 1, 0, 1, 1);
  const verdict = await ledger.verdict();
  expect(ledger.duplicates).toBe(3);
  expect(verdict.disordered.count).toBe(0);
  expect(() => checkLedger(verdict, { maxDuplicates: 3 })).not.toThrow();
  expect(() => checkLedger(verdict, { maxDuplicates: 2 })).toThrow(/3 duplicated \(allowed 2\)/);
});

test("a run that failed and is tried again is no duplicate", async () => {
  const ledger = createLedger();
  publish(ledger, 1);
  ledger.handling(entry(0)).failed();
  handle(ledger, 0);
  expect((await ledger.verdict()).duplicated.count).toBe(0);
});

test("a duplicate that fails and is tried again is one duplicate, and another delivery is another", () => {
  const ledger = createLedger();
  publish(ledger, 1);
  handle(ledger, 0);
  ledger.handling(entry(0)).failed();
  expect(ledger.duplicates).toBe(1);
  handle(ledger, 0);
  expect(ledger.duplicates).toBe(1);
  handle(ledger, 0);
  expect(ledger.duplicates).toBe(2);
});

test("a run that begins before an earlier message of its key was handled is out of order", async () => {
  const ledger = createLedger();
  publish(ledger, 3);
  handle(ledger, 0, 2, 1);
  const verdict = await ledger.verdict();
  expect(verdict.disordered).toMatchObject({ count: 1, first: [{ sequence: 2 }] });
  expect(() => checkLedger(verdict)).toThrow(
    /1 out of order: orders key a #2 \(began before 1 was handled\)/,
  );
  expect(() => checkLedger(verdict, { order: "free" })).not.toThrow();
});

test("going back to handled messages after a restart, and skipping some of them, is no disorder", async () => {
  const ledger = createLedger();
  publish(ledger, 5);
  handle(ledger, 0, 1, 2, 3, 1, 3, 4);
  const verdict = await ledger.verdict();
  expect(verdict.disordered.count).toBe(0);
  expect(verdict.duplicated.count).toBe(2);
});

test("two runs of one key at once overlap, two runs of different keys do not", async () => {
  const ledger = createLedger();
  publish(ledger, 2);
  publish(ledger, 1, "b");
  const first = ledger.handling(entry(0));
  const other = ledger.handling(entry(0, "b"));
  const second = ledger.handling(entry(1));
  for (const run of [first, other, second]) run.done();
  const verdict = await ledger.verdict();
  expect(verdict.overlapped).toMatchObject({ count: 1, first: [{ key: "a", sequence: 1 }] });
  expect(verdict.disordered.count).toBe(0);
});

test("one message handled by two runs at once is a duplicate and an overlap", async () => {
  const ledger = createLedger();
  publish(ledger, 1);
  const [first, second] = [ledger.handling(entry(0)), ledger.handling(entry(0))];
  first.done();
  second.done();
  expect(await ledger.verdict()).toMatchObject({
    handled: 1,
    duplicated: { count: 1 },
    overlapped: { count: 1 },
  });
});

test("a ledger refuses a message numbered twice, a run ended twice and a number that is none", () => {
  const ledger = createLedger();
  publish(ledger, 1);
  expect(() => ledger.published(entry(0))).toThrow(/published before/);
  const run = ledger.handling(entry(0));
  run.done();
  expect(() => run.failed()).toThrow(/ended twice/);
  expect(() => ledger.published(entry(-1))).toThrow(/sequence must be 0, 1, 2/);
});

test("drained names every partition whose committed offset is not its end, and every unknown one", async () => {
  const lag: GroupLag = {
    partitions: [
      { topic: "orders", partition: 0, committed: 4n, low: 0n, high: 4n, lagMessages: 0n },
      { topic: "orders", partition: 1, committed: 3n, low: 0n, high: 4n, lagMessages: 1n },
      { topic: "orders", partition: 2, committed: undefined, low: 7n, high: 7n, lagMessages: 0n },
    ],
    unknown: [{ topic: "orders", partition: 3, error: new Error("no leader") }],
  };
  const reader: LagReader = {
    read: () => Promise.resolve(lag),
    olderThan: () => Promise.resolve([]),
  };
  const ledger = createLedger();
  publish(ledger, 1);
  handle(ledger, 0);
  const verdict = await ledger.verdict({ reader, group: "billing" });
  expect(verdict.drained?.first.map((evidence) => evidence.key)).toEqual([
    "partition 1",
    "partition 3",
  ]);
  expect(() => checkLedger(verdict)).toThrow(
    /2 not drained: .*committed 3, end 4.*lag unknown: Error: no leader/,
  );
});

test("evidence is bounded however much went wrong", async () => {
  const ledger = createLedger();
  publish(ledger, 1_000);
  const verdict = await ledger.verdict();
  expect(verdict.lost.count).toBe(1_000);
  expect(verdict.lost.first).toHaveLength(10);
});

test("a million entries over ten thousand keys, one key stuck from the start, are booked in linear time", async () => {
  const ledger = createLedger();
  const keys = Array.from({ length: 10_000 }, (_, index) => `key-${index}`);
  const stuck = ledger.handling(entry(0, "stuck"));
  const startedAt = performance.now();
  for (let sequence = 0; sequence < 100; sequence++) {
    for (const key of keys) {
      ledger.published(entry(sequence, key));
      ledger.handling(entry(sequence, key)).done();
    }
  }
  for (let sequence = 1; sequence < 100_000; sequence++)
    ledger.handling(entry(sequence, "stuck")).done();
  stuck.done();
  const tookMs = performance.now() - startedAt;
  expect(await ledger.verdict()).toMatchObject({
    published: 1_000_000,
    handled: 1_100_000,
    lost: { count: 0 },
  });
  // Quadratic books would need minutes for the stuck key alone.
  expect(tookMs).toBeLessThan(5_000);
});
