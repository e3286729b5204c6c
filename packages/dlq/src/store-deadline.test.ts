import { expect, test } from "vitest";
import type { Delivery, Failure } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { withDeadline } from "./store-deadline.ts";

const failure = { delivery: { topic: "orders" } as Delivery } as Failure;

test("a store that hangs fails after 15 s and is waited for, not repeated, by the next call", async () => {
  const clock = manualClock();
  let calls = 0;
  let stored: () => void = () => undefined;
  const hanging = withDeadline(() => {
    calls += 1;
    return new Promise<void>((resolve) => (stored = resolve));
  }, clock);
  const first = hanging(failure, "POISON");
  first.catch(() => undefined);
  await clock.advanceAsync(15_000);
  await expect(first).rejects.toMatchObject({ code: "BUS_DEAD_LETTER" });
  const second = hanging(failure, "POISON");
  stored();
  await second;
  expect(calls).toBe(1);
  expect(clock.pending).toBe(0);
});

test("a store that fails is tried again by the next call, and leaves no timer", async () => {
  const clock = manualClock();
  let calls = 0;
  const failing = withDeadline(async () => {
    calls += 1;
    if (calls === 1) throw new Error("no");
  }, clock);
  await expect(failing(failure, "POISON")).rejects.toThrow("no");
  await failing(failure, "POISON");
  expect(calls).toBe(2);
  expect(clock.pending).toBe(0);
});
