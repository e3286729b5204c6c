import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import type { Redelivery } from "./redelivery-queue.ts";
import { RedeliveryQueue } from "./redelivery-queue.ts";

const MAX_TIMER_MS = 2_147_483_647;

const redelivery = (offset: number, dueMs: number): Redelivery => ({
  stored: { offset, timestampMs: 0, sizeBytes: 1, key: null, value: null, headers: [] },
  ticket: offset,
  attempt: 2,
  dueMs,
});

test("takes what is due by due time, then by offset, and leaves one timer for the rest", () => {
  const clock = manualClock();
  let rings = 0;
  const queue = new RedeliveryQueue(clock, () => (rings += 1));
  for (const [offset, dueMs] of [
    [1, 50],
    [9, 20],
    [3, 20],
    [4, 900],
  ] as const) {
    queue.add(redelivery(offset, dueMs));
  }
  expect([queue.takeDue(), clock.pending]).toEqual([undefined, 1]);
  clock.advance(50);
  const taken = [queue.takeDue(), queue.takeDue(), queue.takeDue(), queue.takeDue()];
  expect(taken.map((each) => each?.stored.offset)).toEqual([3, 9, 1, undefined]);
  expect([rings, queue.size, clock.pending]).toEqual([1, 1, 1]);
  queue.clear();
  expect([queue.size, clock.pending]).toEqual([0, 0]);
});

test("asks no timer for more than it can carry", () => {
  const clock = manualClock();
  const delays: number[] = [];
  const schedule = (callback: () => void, delayMs: number): (() => void) => {
    delays.push(delayMs);
    return clock.schedule(callback, delayMs);
  };
  let rings = 0;
  const queue = new RedeliveryQueue({ ...clock, schedule }, () => (rings += 1));
  queue.add(redelivery(1, MAX_TIMER_MS + 5));
  clock.advance(MAX_TIMER_MS);
  expect(rings).toBe(0);
  clock.advance(5);
  expect([rings, delays]).toEqual([1, [MAX_TIMER_MS, 5]]);
});

test("rounds up, so that nothing is due early", () => {
  const clock = manualClock();
  const queue = new RedeliveryQueue(clock, () => undefined);
  queue.add(redelivery(1, 0.4));
  clock.advance(0.3);
  expect(queue.takeDue()).toBeUndefined();
  clock.advance(1);
  expect(queue.takeDue()?.stored.offset).toBe(1);
});
