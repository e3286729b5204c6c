import * as fc from "fast-check";
import { expect, test } from "vitest";
import { InFlightGate } from "./in-flight-gate.ts";
import type { GateShare } from "./in-flight-gate.ts";

/** One step of a random run over shares: the numbers pick share, size and what is given back. */
const step = fc.record({
  kind: fc.constantFrom("take", "take", "take", "give", "give", "open", "close" as const),
  pick: fc.nat(),
  bytes: fc.integer({ min: 0, max: 130 }),
});

interface Tested {
  readonly share: GateShare;
  readonly held: number[];
  waits: boolean;
  wakes: number;
}

/** Checks the invariants that hold after every step. */
function expectBounds(gate: InFlightGate, open: readonly Tested[], maxMessages: number): void {
  const held = open.flatMap(({ held: sizes }) => sizes);
  expect(gate.messages).toBe(held.length);
  expect(gate.bytes).toBe(held.reduce((sum, bytes) => sum + bytes, 0));
  expect(gate.messages).toBeLessThanOrEqual(maxMessages);
  expect(gate.bytes <= 100 || gate.messages === 1).toBe(true);
  for (const { share, held: sizes } of open) expect(share.messages).toBe(sizes.length);
}

test("after any run of takes, gives, openings and closings: bounds hold, each refusal wakes once, counters return to zero", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(step, { maxLength: 300 }),
      (maxMessages, steps) => {
        const gate = new InFlightGate({ maxMessages, maxBytes: 100 });
        const open: Tested[] = [];
        const all: Tested[] = [];
        for (const { kind, pick, bytes } of steps) {
          const chosen = open[pick % Math.max(open.length, 1)];
          if (kind === "open" || chosen === undefined) {
            const tested: Tested = {
              share: gate.share(() => {
                if (!tested.waits) throw new Error("woken without having been refused");
                tested.waits = false;
                tested.wakes += 1;
              }),
              held: [],
              waits: false,
              wakes: 0,
            };
            open.push(tested);
            all.push(tested);
          } else if (kind === "close") {
            chosen.share.close();
            open.splice(open.indexOf(chosen), 1);
            chosen.waits = false;
          } else if (kind === "take") {
            if (chosen.share.tryTake(bytes)) chosen.held.push(bytes);
            else chosen.waits = true;
          } else {
            const [given] = chosen.held.splice(pick % Math.max(chosen.held.length, 1), 1);
            if (given !== undefined) chosen.share.give(given);
          }
          expectBounds(gate, open, maxMessages);
        }
        for (const { share, held } of open) for (const bytes of held.splice(0)) share.give(bytes);
        expect(gate).toMatchObject({ messages: 0, bytes: 0 });
        expect(all.filter(({ waits }) => waits)).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

test("shares that always take in their wake-up hand on every message, whatever the sizes and the order of settling", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 130 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(sizes, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 10 }),
      fc.infiniteStream(fc.nat()),
      (queues, maxMessages, picks) => {
        const gate = new InFlightGate({ maxMessages, maxBytes: 100 });
        const running: { readonly share: GateShare; readonly bytes: number }[] = [];
        const deliver = (share: GateShare, queue: number[]): void => {
          while (queue[0] !== undefined && share.tryTake(queue[0]))
            running.push({ share, bytes: queue.shift() ?? 0 });
        };
        const waiting = queues.map((sizesOfQueue) => {
          const queue = [...sizesOfQueue];
          const share: GateShare = gate.share(() => deliver(share, queue));
          return { share, queue };
        });
        for (const { share, queue } of waiting) deliver(share, queue);
        while (running.length > 0) {
          const [settled] = running.splice((picks.next().value ?? 0) % running.length, 1);
          settled?.share.give(settled.bytes);
        }
        expect(waiting.map(({ queue }) => queue.length)).toEqual(queues.map(() => 0));
        expect(gate).toMatchObject({ messages: 0, bytes: 0 });
      },
    ),
    { numRuns: 500 },
  );
});
