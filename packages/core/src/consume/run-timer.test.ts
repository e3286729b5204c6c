import { describe, expect, it } from "vitest";
import { manualClock } from "@bus/testkit";
import { fakeDelivery } from "../../test/fake-delivery.ts";
import { RunTimer } from "./run-timer.ts";

function timed() {
  const clock = manualClock({ startMs: 10_000 });
  const recorded: { readonly value: number; readonly times: number }[] = [];
  const processing = { record: (value: number, times = 1) => void recorded.push({ value, times }) };
  const ages: number[] = [];
  const timer = new RunTimer({
    clock,
    processing,
    endToEnd: { record: (value) => void ages.push(value) },
  });
  const run = (tookMs = 0): void => {
    const timedRun = timer.begin();
    clock.advance(tookMs);
    if (timedRun !== undefined) timer.end(timedRun, fakeDelivery());
  };
  return { clock, recorded, ages, run };
}

describe("RunTimer", () => {
  it("times every run of a calm subscription, and its age since the broker's timestamp", () => {
    const { recorded, ages, run } = timed();
    run(5);
    run(250);
    expect(recorded).toEqual([
      { value: 0.005, times: 1 },
      { value: 0.25, times: 1 },
    ]);
    expect(ages).toEqual([10.005, 10.255]);
  });

  it("times one run in thirty-two of a busy one, for all of them, and every run again when it has calmed down", () => {
    const { clock, recorded, run } = timed();
    for (let count = 0; count < 1_000 + 3_200; count++) run();
    const sampled = recorded.filter(({ times }) => times === 32);
    expect(sampled.length).toBeGreaterThanOrEqual(99);
    const counted = recorded.reduce((sum, { times }) => sum + times, 0);
    expect(Math.abs(counted - 4_200)).toBeLessThanOrEqual(32);
    clock.advance(1_000);
    const before = recorded.length;
    for (let count = 0; count < 32 + 100; count++) run();
    expect(recorded.length - before).toBeGreaterThanOrEqual(100);
  });
});
