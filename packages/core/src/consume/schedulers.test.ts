import { describe, expect, it } from "vitest";
import { manualClock } from "@bus/testkit";
import type { Delivery } from "../contracts/delivery.ts";
import { fakeDelivery, fakeOwnership, settled } from "../../test/fake-delivery.ts";
import { BatchScheduler } from "./batch-scheduler.ts";
import { PartitionScheduler } from "./partition-scheduler.ts";
import { UnorderedScheduler } from "./unordered-scheduler.ts";

/** A run that ends when the test says so. */
function controlledRun() {
  const running: { readonly delivery: Delivery; readonly end: () => void }[] = [];
  const started: string[] = [];
  const run = (delivery: Delivery): Promise<void> =>
    new Promise((resolve) => {
      started.push(`${delivery.partition}@${delivery.offset}`);
      const entry = {
        delivery,
        end: () => {
          running.splice(running.indexOf(entry), 1);
          resolve();
        },
      };
      running.push(entry);
    });
  return { run, running, started };
}

describe("PartitionScheduler", () => {
  it("runs one delivery of a partition at a time, in order, and partitions side by side", async () => {
    const { run, running, started } = controlledRun();
    const scheduler = new PartitionScheduler(run);
    for (const offset of [0, 1])
      for (const partition of [0, 1]) scheduler.schedule(fakeDelivery({ partition, offset }));
    expect(started).toEqual(["0@0", "1@0"]);
    running.find(({ delivery }) => delivery.partition === 1)?.end();
    await settled();
    expect(started).toEqual(["0@0", "1@0", "1@1"]);
  });

  it("is drained when nothing runs or waits", async () => {
    const { run, running } = controlledRun();
    const scheduler = new PartitionScheduler(run);
    await scheduler.drained();
    scheduler.schedule(fakeDelivery({ offset: 0 }));
    scheduler.schedule(fakeDelivery({ offset: 1 }));
    let drained = false;
    void scheduler.drained().then(() => {
      drained = true;
    });
    running[0]?.end();
    await settled();
    expect(drained).toBe(false);
    running[0]?.end();
    await settled();
    expect(drained).toBe(true);
  });
});

describe("UnorderedScheduler", () => {
  it("reaches its concurrency and never exceeds it", async () => {
    const { run, running, started } = controlledRun();
    const scheduler = new UnorderedScheduler(run, 3);
    let most = 0;
    for (let offset = 0; offset < 10; offset++) scheduler.schedule(fakeDelivery({ offset }));
    while (running.length > 0) {
      most = Math.max(most, running.length);
      running[0]?.end();
      await settled();
    }
    expect(most).toBe(3);
    expect(started).toHaveLength(10);
    await scheduler.drained();
  });
});

describe("BatchScheduler", () => {
  function batches() {
    const seen: string[][] = [];
    const ends: (() => void)[] = [];
    const run = (deliveries: readonly Delivery[]): Promise<void> =>
      new Promise((resolve) => {
        seen.push(deliveries.map(({ partition, offset }) => `${partition}@${offset}`));
        ends.push(resolve);
      });
    return { seen, ends, run };
  }

  it("hands a batch over as soon as it is full", () => {
    const { seen, run } = batches();
    const scheduler = new BatchScheduler(run, { maxMessages: 2, maxWaitMs: 100 }, manualClock());
    for (const offset of [0, 1, 2]) scheduler.schedule(fakeDelivery({ offset }));
    expect(seen).toEqual([["0@0", "0@1"]]);
  });

  it("hands over what there is after the longest wait, not before", () => {
    const clock = manualClock();
    const { seen, run } = batches();
    const scheduler = new BatchScheduler(run, { maxMessages: 10, maxWaitMs: 100 }, clock);
    scheduler.schedule(fakeDelivery({ offset: 0 }));
    clock.advance(99);
    expect(seen).toEqual([]);
    clock.advance(1);
    expect(seen).toEqual([["0@0"]]);
  });

  it("runs one batch of a partition at a time and batches of partitions side by side", async () => {
    const { seen, ends, run } = batches();
    const scheduler = new BatchScheduler(run, { maxMessages: 1, maxWaitMs: 100 }, manualClock());
    for (const offset of [0, 1])
      for (const partition of [0, 1]) scheduler.schedule(fakeDelivery({ partition, offset }));
    expect(seen).toEqual([["0@0"], ["1@0"]]);
    ends[0]?.();
    await settled();
    expect(seen).toEqual([["0@0"], ["1@0"], ["0@1"]]);
  });

  it("does not keep a partition that is draining waiting for more messages", async () => {
    const { seen, ends, run } = batches();
    const ownership = fakeOwnership();
    const scheduler = new BatchScheduler(
      run,
      { maxMessages: 10, maxWaitMs: 60_000 },
      manualClock(),
    );
    scheduler.schedule(fakeDelivery({ offset: 0, ownership }));
    ownership.draining.abort();
    expect(seen).toEqual([["0@0"]]);
    ends[0]?.();
    await scheduler.drained();
  });
});
