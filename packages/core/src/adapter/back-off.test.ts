import * as fc from "fast-check";
import { expect, test } from "vitest";
import { backOffMs } from "./back-off.ts";

const noJitter = { baseMs: 1000, maxMs: 300_000, jitter: 0 };
const never = (): number => 0;

test("the wait doubles from attempt to attempt up to its maximum", () => {
  const waits = [1, 2, 3, 4, 8, 9, 10, 11, 2000].map((attempt) =>
    backOffMs(attempt, noJitter, never),
  );
  expect(waits).toEqual([1000, 2000, 4000, 8000, 128_000, 256_000, 300_000, 300_000, 300_000]);
});

test("the factor is the policy's when it has one", () => {
  expect([1, 2, 3].map((attempt) => backOffMs(attempt, { ...noJitter, factor: 3 }, never))).toEqual(
    [1000, 3000, 9000],
  );
  expect(backOffMs(50, { ...noJitter, factor: 1 }, never)).toBe(1000);
});

test("jitter adds its part of the wait, also to the longest", () => {
  expect(backOffMs(1, { ...noJitter, jitter: 0.2 }, () => 0.5)).toBe(1100);
  expect(backOffMs(100, { ...noJitter, jitter: 0.2 }, () => 0.5)).toBe(330_000);
});

test("a part of a millisecond is rounded up, so that no retry comes early", () => {
  expect(backOffMs(2, { baseMs: 3, maxMs: 100, factor: 1.5, jitter: 0 }, never)).toBe(5);
});

test.each([0, -5])("a base of %d ms is no wait, at any attempt", (baseMs) => {
  expect(
    [1, 2, 5000].map((attempt) => backOffMs(attempt, { ...noJitter, baseMs, factor: 10 }, never)),
  ).toEqual([0, 0, 0]);
});

test("attempts below 1 wait like the first", () => {
  expect([0, -3].map((attempt) => backOffMs(attempt, noJitter, never))).toEqual([1000, 1000]);
});

test("every wait is whole, at least the undithered wait and at most that plus jitter, and never shrinks with attempts", () => {
  const policy = fc.record({
    baseMs: fc.integer({ min: 0, max: 10_000 }),
    maxMs: fc.integer({ min: 0, max: 600_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      policy,
      fc.integer({ min: 1, max: 5000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (given, attempt, chance) => {
        const undithered = backOffMs(attempt, { ...given, jitter: 0 }, never);
        const wait = backOffMs(attempt, given, () => chance);
        expect(Number.isSafeInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(undithered);
        expect(wait).toBeLessThanOrEqual(Math.ceil(given.maxMs * (1 + given.jitter)));
        expect(backOffMs(attempt + 1, { ...given, jitter: 0 }, never)).toBeGreaterThanOrEqual(
          undithered,
        );
      },
    ),
  );
});
