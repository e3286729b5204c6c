import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OffsetTracker } from "./offset-tracker.ts";

/** A tracker of `offsets`, all received from position 0 on, and the ticket of each. */
function tracking(...offsets: number[]): { tracker: OffsetTracker; tickets: Map<number, number> } {
  const tracker = new OffsetTracker(0);
  return { tracker, tickets: new Map(offsets.map((offset) => [offset, tracker.track(offset)])) };
}

const ticketOf = (tickets: Map<number, number>, offset: number): number =>
  tickets.get(offset) ?? Number.NaN;

describe("position", () => {
  test("begins where the tracker begins", () => {
    const tracker = new OffsetTracker(42);
    expect(tracker).toMatchObject({ position: 42, received: 42, unsettled: 0, settledAhead: 0 });
    expect(tracker.oldestUnsettled()).toBeUndefined();
  });

  test("stays at the lowest unsettled offset while later ones settle, then jumps past them", () => {
    const { tracker, tickets } = tracking(0, 1, 2, 3);
    expect(tracker.settle(ticketOf(tickets, 1))).toBe(false);
    expect(tracker.settle(ticketOf(tickets, 2))).toBe(false);
    expect(tracker).toMatchObject({ position: 0, unsettled: 2, settledAhead: 2 });
    expect(tracker.settle(ticketOf(tickets, 0))).toBe(true);
    expect(tracker).toMatchObject({ position: 3, unsettled: 1, settledAhead: 0 });
  });

  test("passes gaps between received offsets, as compaction and transaction markers leave them", () => {
    const { tracker, tickets } = tracking(3, 10, 11);
    tracker.settle(ticketOf(tickets, 3));
    expect(tracker.position).toBe(10);
    tracker.settle(ticketOf(tickets, 10));
    tracker.settle(ticketOf(tickets, 11));
    expect(tracker.position).toBe(12);
  });

  test("follows advance at once when nothing is unsettled", () => {
    const tracker = new OffsetTracker(5);
    tracker.advance(9);
    expect(tracker).toMatchObject({ position: 9, received: 9 });
  });

  test("follows advance only after what was received before has settled", () => {
    const { tracker, tickets } = tracking(0);
    tracker.advance(8);
    expect(tracker).toMatchObject({ position: 0, received: 8 });
    tracker.settle(ticketOf(tickets, 0));
    expect(tracker.position).toBe(8);
  });

  test("is not moved back by advance", () => {
    const tracker = new OffsetTracker(5);
    tracker.advance(3);
    expect(tracker).toMatchObject({ position: 5, received: 5 });
  });
});

describe("track", () => {
  test("refuses what lies below the next expected offset: duplicates, old offsets, filtered ones", () => {
    const { tracker } = tracking(0, 1, 7);
    tracker.advance(20);
    expect([0, 1, 5, 7, 19].map((offset) => tracker.track(offset))).toEqual([-1, -1, -1, -1, -1]);
    expect(tracker).toMatchObject({ unsettled: 3, received: 20 });
    expect(tracker.track(20)).toBeGreaterThanOrEqual(0);
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])("rejects the offset %d", (offset) => {
    expect(() => new OffsetTracker(offset)).toThrow(
      `offset must be a safe integer of at least 0, got ${offset}`,
    );
  });

  test("takes offsets as large as a safe integer can be", () => {
    const tracker = new OffsetTracker(2 ** 52);
    expect(tracker.settle(tracker.track(2 ** 53 - 2))).toBe(true);
    expect(tracker.position).toBe(2 ** 53 - 1);
  });
});

test.each([0.5, Number.NaN, 2 ** 53])("the offset %d is not tracked", (offset) => {
  const tracker = new OffsetTracker(0);
  expect(() => tracker.track(offset)).toThrow(RangeError);
  expect(tracker).toMatchObject({ received: 0, unsettled: 0 });
});

describe("settle", () => {
  test("throws for a ticket that has settled, ahead of the position or behind it", () => {
    const { tracker, tickets } = tracking(0, 1, 2);
    tracker.settle(ticketOf(tickets, 0));
    tracker.settle(ticketOf(tickets, 2));
    expect(() => tracker.settle(ticketOf(tickets, 0))).toThrow("is not unsettled");
    expect(() => tracker.settle(ticketOf(tickets, 2))).toThrow("is not unsettled");
    expect(tracker).toMatchObject({ position: 1, unsettled: 1, settledAhead: 1 });
  });

  test.each([-1, 3, Number.NaN])("throws for the ticket %d, which was never given", (ticket) => {
    const { tracker } = tracking(0, 1, 2);
    expect(() => tracker.settle(ticket)).toThrow("is not unsettled");
    expect(tracker.unsettled).toBe(3);
  });
});

test("settledRanges names the settled runs ahead of the position, across gaps, with an exclusive end", () => {
  const { tracker, tickets } = tracking(0, 1, 5, 6, 9, 12);
  for (const offset of [1, 5, 9]) tracker.settle(ticketOf(tickets, offset));
  expect(tracker.settledRanges()).toEqual([
    [1, 6],
    [9, 10],
  ]);
  tracker.settle(ticketOf(tickets, 0));
  expect(tracker.settledRanges()).toEqual([[9, 10]]);
});

/** One step of a random run: receive after a gap, settle one of the unsettled, or advance. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("receive" as const), by: fc.nat(3) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("settle" as const), by: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("advance" as const), by: fc.nat(5) }) },
);

test("after any order of receiving, settling and advancing, the position is the lowest unsettled offset and never beyond", () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.array(step, { maxLength: 400 }), (start, steps) => {
      const tracker = new OffsetTracker(start);
      const unsettled = new Map<number, number>();
      const settled = new Set<number>();
      let received = start;
      for (const { kind, by } of steps) {
        const before = tracker.position;
        let moved: boolean | undefined;
        if (kind === "receive") {
          unsettled.set(received + by, tracker.track(received + by));
          received += by + 1;
        } else if (kind === "advance") {
          received += by;
          tracker.advance(received);
        } else if (unsettled.size > 0) {
          const [offset, ticket] = [...unsettled][by % unsettled.size] ?? [0, 0];
          unsettled.delete(offset);
          settled.add(offset);
          moved = tracker.settle(ticket);
        }
        const lowest = unsettled.size === 0 ? received : Math.min(...unsettled.keys());
        const ahead = [...settled].filter((offset) => offset > lowest);
        expect(tracker.position).toBe(lowest);
        expect(tracker.position).toBeGreaterThanOrEqual(before);
        expect(moved ?? tracker.position > before).toBe(tracker.position > before);
        expect(tracker.oldestUnsettled()).toBe(unsettled.size === 0 ? undefined : lowest);
        expect(tracker).toMatchObject({
          received,
          unsettled: unsettled.size,
          settledAhead: ahead.length,
        });
        const ranges = tracker.settledRanges();
        expect(
          ahead.every((offset) => ranges.some(([from, to]) => from <= offset && offset < to)),
        ).toBe(true);
        expect(
          [...unsettled.keys()].some((offset) =>
            ranges.some(([from, to]) => from <= offset && offset < to),
          ),
        ).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});

/** Milliseconds to receive `count` offsets and settle them from the last to the first: the worst order. */
function backwardsMs(count: number): number {
  const tracker = new OffsetTracker(0);
  const startedMs = performance.now();
  for (let offset = 0; offset < count; offset += 1) tracker.track(offset);
  for (let ticket = count - 1; ticket >= 0; ticket -= 1) tracker.settle(ticket);
  const elapsedMs = performance.now() - startedMs;
  expect(tracker).toMatchObject({ position: count, unsettled: 0, settledAhead: 0 });
  return elapsedMs;
}

/** Milliseconds per settle of `settles` offsets behind an unsettled one that already has `ahead` settled ones behind it. */
function stuckSettleMs(ahead: number, settles: number): number {
  const tracker = new OffsetTracker(0);
  tracker.track(0);
  for (let offset = 1; offset <= ahead; offset += 1) tracker.settle(tracker.track(offset));
  const startedMs = performance.now();
  for (let offset = ahead + 1; offset <= ahead + settles; offset += 1)
    tracker.settle(tracker.track(offset));
  const elapsedMs = performance.now() - startedMs;
  expect(tracker).toMatchObject({ position: 0, settledAhead: ahead + settles });
  return elapsedMs / settles;
}

const least = (runs: number, measure: () => number): number =>
  Math.min(...Array.from({ length: runs }, measure));

describe("with 1,000,000 offsets", () => {
  // Linear time would make the ratio of the two runs 10; quadratic time would make it 100.
  test("settling backwards costs per offset what it costs with 100,000", () => {
    backwardsMs(100_000);
    const ratio = least(5, () => backwardsMs(1_000_000)) / least(5, () => backwardsMs(100_000));
    expect(ratio).toBeLessThan(70);
  });

  test("an unsettled offset with 1,000,000 settled ones behind it does not slow the next ones down", () => {
    stuckSettleMs(1000, 10_000);
    const ratio =
      least(5, () => stuckSettleMs(1_000_000, 10_000)) /
      least(5, () => stuckSettleMs(1000, 10_000));
    // A scan of what is settled would make the ratio about 1,000.
    expect(ratio).toBeLessThan(300);
  });

  test("in a random settling order the position is the lowest unsettled offset at every step", () => {
    const count = 1_000_000;
    const tickets = Uint32Array.from({ length: count }, (_, index) => index);
    const tracker = new OffsetTracker(0);
    for (let offset = 0; offset < count; offset += 1) tracker.track(offset * 2);
    let seed = 7;
    for (let last = count - 1; last > 0; last -= 1) {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      const other = seed % (last + 1);
      [tickets[last], tickets[other]] = [tickets[other] ?? 0, tickets[last] ?? 0];
    }
    let unsettledLow = 0;
    let wrong = 0;
    const settled = new Uint8Array(count);
    for (const ticket of tickets) {
      tracker.settle(ticket);
      settled[ticket] = 1;
      while (settled[unsettledLow] === 1) unsettledLow += 1;
      if (tracker.position !== Math.min(unsettledLow * 2, (count - 1) * 2 + 1)) wrong += 1;
    }
    expect(wrong).toBe(0);
    expect(tracker).toMatchObject({ position: count * 2 - 1, unsettled: 0, settledAhead: 0 });
  });
});
