import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Delivery } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { KeyScheduler } from "../src/key-scheduler.ts";
import { LanePool } from "../src/lane-pool.ts";

const LANES = 1000;
const BUSY = 100;
const DISTINCT = 1_000_000;
const ROUND = 400;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a million aggregates pass through a thousand lanes: memory stays flat, busy lanes stay, all are freed when idle", async () => {
  const clock = manualClock();
  const options = { concurrency: 256, maxLanes: LANES, mailboxSize: 100, idleTimeoutMs: 1000 };
  const pool = new LanePool(options, { clock, waits: { record: () => undefined } }, "recovery");
  const { signal } = new AbortController();
  const handled = new Map<string, number>();
  const releases: (() => void)[] = [];
  let distinct = 0;
  const scheduler = new KeyScheduler({
    pool,
    run: async (delivery) => {
      const key = String(delivery.key);
      if (!key.startsWith("busy")) {
        distinct++;
        return;
      }
      expect(Number(delivery.offset)).toBe(handled.get(key) ?? 0);
      handled.set(key, (handled.get(key) ?? 0) + 1);
      await new Promise<void>((resolve) => releases.push(resolve));
    },
    spec: { topic: "orders" },
    flow: { pause: () => undefined, resume: () => undefined },
    promise: "ordered",
    laneKey: (message) => String(message.key),
    onKeyFailure: () => undefined,
  });
  const deliver = (key: string, offset: number): void => {
    const delivery = {
      topic: "orders",
      partition: 0,
      offset: BigInt(offset),
      timestampMs: 0,
      key: Buffer.from(key),
    };
    const rest = {
      value: null,
      headers: [],
      attempt: 1,
      sizeBytes: 0,
      draining: signal,
      signal,
      settle: () => undefined,
    };
    scheduler.schedule({ ...delivery, ...rest } satisfies Delivery);
  };

  let busyRounds = 0;
  let heapAfterWarmUp = 0;
  for (let index = 0; index < DISTINCT; index += ROUND) {
    if (index % (ROUND * 50) === 0) {
      for (const release of releases.splice(0)) release();
      for (let busy = 0; busy < BUSY; busy++) deliver(`busy-${busy}`, busyRounds);
      busyRounds++;
    }
    for (let offset = 0; offset < ROUND; offset++) deliver(`distinct-${index + offset}`, 0);
    await setImmediate();
    expect(releases.length).toBe(BUSY);
    expect(pool.numbers()).toMatchObject({
      total: Math.min(LANES, index + ROUND + BUSY),
      active: BUSY,
      queued: 0,
      waiting: 0,
    });
    if (index === 100_000) heapAfterWarmUp = usedHeapBytes();
  }
  expect(distinct).toBe(DISTINCT);
  const grownBytes = usedHeapBytes() - heapAfterWarmUp;
  expect(grownBytes).toBeLessThan(2 * 1024 * 1024);

  for (const release of releases.splice(0)) release();
  await scheduler.drained();
  expect([...handled.values()]).toEqual(Array.from({ length: BUSY }, () => busyRounds));
  clock.advance(1500);
  expect(pool.numbers()).toMatchObject({ total: 0, active: 0, idle: 0 });
  expect(clock.pending).toBe(0);
}, 60_000);

function usedHeapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
