import { expect, test } from "vitest";
import { lagRates, NO_RATES } from "./rates.ts";
import type { LagSnapshot } from "./rates.ts";

function snapshot(
  takenAtMs: number,
  ...partitions: readonly (readonly [position: number, high: number])[]
): LagSnapshot {
  return {
    takenAtMs,
    partitions: partitions.map(([position, high], partition) => ({
      group: "g",
      topic: "orders",
      partition,
      committed: BigInt(position),
      low: 0n,
      high: BigInt(high),
      lagMessages: BigInt(high - position),
      oldestAgeMs: undefined,
      late: false,
    })),
  };
}

test("rates and the time to clear follow from two checks", () => {
  const rates = lagRates(
    snapshot(0, [100, 500], [0, 500]),
    snapshot(10_000, [300, 600], [100, 500]),
  );
  expect(rates).toEqual({
    consumedPerSecond: 30,
    producedPerSecond: 10,
    timeToClearMs: (700 / 20) * 1000,
  });
});

test("where offsets also count what others have, rates are those of messages", () => {
  const counted = (takenAtMs: number, high: number, produced: number): LagSnapshot => {
    const { partitions } = snapshot(takenAtMs, [high, high]);
    return {
      takenAtMs,
      partitions: partitions.map((one) => ({ ...one, produced: BigInt(produced) })),
    };
  };
  expect(lagRates(counted(0, 1_000, 10), counted(10_000, 9_000, 110))).toMatchObject({
    consumedPerSecond: 10,
    producedPerSecond: 10,
  });
});

test("a backlog that does not shrink has no time to clear", () => {
  expect(lagRates(snapshot(0, [0, 100]), snapshot(1000, [10, 110])).timeToClearMs).toBeUndefined();
  expect(lagRates(snapshot(0, [0, 100]), snapshot(1000, [10, 200])).timeToClearMs).toBeUndefined();
});

test("without lag the time to clear is zero", () => {
  expect(lagRates(snapshot(0, [50, 100]), snapshot(1000, [200, 200]))).toEqual({
    consumedPerSecond: 150,
    producedPerSecond: 100,
    timeToClearMs: 0,
  });
});

test("one check alone tells no rates, nor do two at the same time", () => {
  expect(lagRates(undefined, snapshot(0, [0, 100]))).toBe(NO_RATES);
  expect(lagRates(snapshot(5, [0, 100]), snapshot(5, [0, 100]))).toBe(NO_RATES);
});

test("partitions that are new or whose offsets went back are left out", () => {
  expect(lagRates(snapshot(0, [100, 500]), snapshot(1000, [0, 10]))).toBe(NO_RATES);
  const rates = lagRates(snapshot(0, [100, 500]), snapshot(1000, [150, 500], [7, 1000]));
  expect(rates).toMatchObject({ consumedPerSecond: 50, producedPerSecond: 0 });
});
