import { manualClock } from "@bus/testkit";
import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

const never = new AbortController().signal;

function watch(bucket: TokenBucket, count: number, signal: AbortSignal = never): number[] {
  const passed: number[] = [];
  for (let index = 0; index < count; index++) {
    const waiting = bucket.take(signal);
    if (waiting === undefined) passed.push(index);
    else void waiting.then(() => passed.push(index));
  }
  return passed;
}

test("a burst passes without waiting, the rest one by one in the order in which it came", async () => {
  const clock = manualClock();
  const passed = watch(new TokenBucket({ perSecond: 10, burst: 2 }, clock), 5);
  expect(passed).toEqual([0, 1]);
  await clock.advanceAsync(99);
  expect(passed).toEqual([0, 1]);
  await clock.advanceAsync(1);
  expect(passed).toEqual([0, 1, 2]);
  await clock.advanceAsync(200);
  expect(passed).toEqual([0, 1, 2, 3, 4]);
  expect(clock.pending).toBe(0);
});

test("over a long time exactly the rate passes, though timers are late", async () => {
  const clock = manualClock();
  const bucket = new TokenBucket({ perSecond: 1000, burst: 100 }, clock);
  const passed = watch(bucket, 10_000);
  for (let step = 0; step < 200; step++) await clock.advanceAsync(7 + (step % 5));
  expect(passed.length).toBe(100 + Math.floor(clock.now()));
});

test("whoever comes while others wait waits behind them", async () => {
  const clock = manualClock();
  const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, clock);
  const first = watch(bucket, 2);
  clock.advance(100);
  const second = watch(bucket, 1);
  expect(second).toEqual([]);
  await clock.advanceAsync(0);
  expect(first).toEqual([0, 1]);
  await clock.advanceAsync(100);
  expect(second).toEqual([0]);
});

test("a signal ends the wait at once, without using up a turn, and leaves no timer", async () => {
  const clock = manualClock();
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, clock);
  const controller = new AbortController();
  watch(bucket, 1);
  const aborted = watch(bucket, 2, controller.signal);
  const patient = watch(bucket, 1);
  controller.abort();
  await clock.advanceAsync(0);
  expect(aborted).toEqual([0, 1]);
  expect(bucket.waiting).toBe(1);
  await clock.advanceAsync(1000);
  expect(patient).toEqual([0]);
  expect(clock.pending).toBe(0);
});

test("a signal that has aborted before does not wait", () => {
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, manualClock());
  watch(bucket, 5);
  expect(bucket.take(AbortSignal.abort())).toBeUndefined();
});
