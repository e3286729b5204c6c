import { describe, expect, it } from "vitest";
import { manualClock } from "@bus/testkit";
import type { Delivery } from "../contracts/delivery.ts";
import type { HandlerSlot } from "../contracts/scheduler.ts";
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

/** Runs that the test ends, each with its slot, in order of their start. */
function slottedRuns(concurrency: number) {
  const runs: { readonly slot: HandlerSlot; readonly end: () => void }[] = [];
  const started: number[] = [];
  const scheduler = new UnorderedScheduler((delivery, slot) => {
    if (slot === undefined) throw new Error("a run got no slot");
    started.push(Number(delivery.offset));
    return new Promise((resolve) => void runs.push({ slot, end: resolve }));
  }, concurrency);
  return { runs, started, scheduler };
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

  it("starts others in the slots that waiting runs gave back, and lets these return in turn", async () => {
    const { runs, started, scheduler } = slottedRuns(2);
    for (let offset = 0; offset < 6; offset++) scheduler.schedule(fakeDelivery({ offset }));
    expect(started).toEqual([0, 1]);
    runs[0]?.slot.giveBack();
    runs[1]?.slot.giveBack();
    expect(started).toEqual([0, 1, 2, 3]);
    const returned: number[] = [];
    for (const offset of [0, 1]) {
      void runs[offset]?.slot
        .takeAgain(new AbortController().signal)
        .then((isIn) => isIn && returned.push(offset));
    }
    await settled();
    expect(returned).toEqual([]);
    runs[2]?.end();
    await settled();
    // What was there before it comes first.
    expect(started).toEqual([0, 1, 2, 3, 4]);
    runs[3]?.end();
    runs[4]?.end();
    await settled();
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
    expect(returned).toEqual([0]);
    runs[5]?.end();
    await settled();
    expect(returned).toEqual([0, 1]);
    let drained = false;
    void scheduler.drained().then(() => (drained = true));
    runs[0]?.end();
    await settled();
    expect(drained).toBe(false);
    runs[1]?.end();
    await settled();
    expect(drained).toBe(true);
  });

  it("takes no slot for a run whose ownership ends while it waits for one", async () => {
    const { runs, started, scheduler } = slottedRuns(1);
    for (let offset = 0; offset < 3; offset++) scheduler.schedule(fakeDelivery({ offset }));
    runs[0]?.slot.giveBack();
    const ownership = new AbortController();
    const waiting = runs[0]?.slot.takeAgain(ownership.signal);
    ownership.abort();
    expect(await waiting).toBe(false);
    expect(await runs[0]?.slot.takeAgain(ownership.signal)).toBe(false);
    runs[0]?.end();
    expect(started).toEqual([0, 1]);
    runs[1]?.end();
    await settled();
    runs[2]?.end();
    await scheduler.drained();
    expect(started).toEqual([0, 1, 2]);
  });

  it("starts thousands of runs that give their slot back at once, without nesting them", async () => {
    const total = 20_000;
    const ends: (() => void)[] = [];
    const scheduler = new UnorderedScheduler((_, slot) => {
      if (ends.length > 0) slot?.giveBack();
      return new Promise((resolve) => void ends.push(resolve));
    }, 1);
    for (let offset = 0; offset < total; offset++) scheduler.schedule(fakeDelivery({ offset }));
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await settled();
    expect(ends).toHaveLength(total);
    for (const end of ends) end();
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
