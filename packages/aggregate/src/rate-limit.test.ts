import fc from "fast-check";
import { expect, test } from "vitest";
import { limitFullAtMs, limitWaitMs } from "./rate-limit.ts";

test("a burst passes at once, then one message per interval", () => {
  const limit = { perSecond: 10, burst: 3 };
  let fullAtMs = 0;
  const passedAtMs: number[] = [];
  for (let nowMs = 1000; passedAtMs.length < 6; nowMs += limitWaitMs(limit, fullAtMs, nowMs)) {
    if (limitWaitMs(limit, fullAtMs, nowMs) > 0) continue;
    passedAtMs.push(nowMs);
    fullAtMs = limitFullAtMs(limit, fullAtMs, nowMs);
  }
  expect(passedAtMs).toEqual([1000, 1000, 1000, 1100, 1200, 1300]);
});

test("no window of time lets more through than the burst and the rate allow", () => {
  const limits = fc.record({
    perSecond: fc.integer({ min: 1, max: 500 }),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(
      limits,
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200, size: "max" }),
      (limit, gaps) => {
        let nowMs = 0;
        let fullAtMs = 0;
        const passedAtMs: number[] = [];
        for (const gapMs of gaps) {
          nowMs += gapMs;
          nowMs += limitWaitMs(limit, fullAtMs, nowMs);
          fullAtMs = limitFullAtMs(limit, fullAtMs, nowMs);
          passedAtMs.push(nowMs);
        }
        let worstExcess = Number.NEGATIVE_INFINITY;
        for (const [first, startMs] of passedAtMs.entries()) {
          for (const [last, endMs] of passedAtMs.entries()) {
            if (last < first) continue;
            const allowed = limit.burst + ((endMs - startMs) * limit.perSecond) / 1000;
            worstExcess = Math.max(worstExcess, last - first + 1 - allowed);
          }
        }
        expect(worstExcess).toBeLessThan(1e-3);
      },
    ),
    { numRuns: 50 },
  );
});
