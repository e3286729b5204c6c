import { describe, expect, it } from "vitest";
import { manualClock } from "@bus/testkit";
import { fakeDelivery } from "../../test/fake-delivery.ts";
import { retryAfter, runOf } from "../../test/run-of.ts";

describe("the processing deadline", () => {
  it("aborts the handler's signal not before the deadline and within an eighth after the next sweep", async () => {
    const clock = manualClock();
    let abortedAtMs: number | undefined;
    const { run, overdue } = runOf(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            abortedAtMs = clock.now();
            reject(signal.reason);
          });
        }),
      { clock, maxProcessingTimeMs: 800, retryPolicy: retryAfter(1_000_000) },
    );
    void run(fakeDelivery());
    await clock.advanceAsync(1_100);
    expect(overdue).toHaveBeenCalledTimes(1);
    expect(abortedAtMs).toBeGreaterThanOrEqual(800);
    expect(abortedAtMs).toBeLessThanOrEqual(1_000);
  });

  it("blames the deadline for whatever the handler throws after it", async () => {
    const clock = manualClock();
    const { run, reporter } = runOf(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("torn")));
        }),
      { clock, maxProcessingTimeMs: 800, retryPolicy: retryAfter(1_000_000) },
    );
    void run(fakeDelivery());
    await clock.advanceAsync(2_000);
    expect(reporter.failingDeliveries[0]?.lastError).toMatchObject({ code: "BUS_HANDLER_TIMEOUT" });
  });

  it("holds the slot of a handler that never ends, so that no second run of the key can overlap", async () => {
    const clock = manualClock();
    const { run, running, overdue } = runOf(() => new Promise(() => undefined), {
      clock,
      maxProcessingTimeMs: 800,
    });
    const delivery = fakeDelivery();
    void run(delivery);
    await clock.advanceAsync(10_000);
    expect(overdue).toHaveBeenCalledTimes(1);
    expect(delivery.settlements).toEqual([]);
    expect(running.size).toBe(1);
    running.close();
    expect(clock.pending).toBe(0);
  });
});
