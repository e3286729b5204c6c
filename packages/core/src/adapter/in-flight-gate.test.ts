import { describe, expect, test } from "vitest";
import { InFlightGate } from "./in-flight-gate.ts";
import type { GateShare } from "./in-flight-gate.ts";

/** A share that counts its wake-ups. */
function countedShare(gate: InFlightGate): GateShare & { readonly wakes: () => number } {
  let wakes = 0;
  const share = gate.share(() => {
    wakes += 1;
  });
  return Object.assign(share, { wakes: () => wakes });
}

/** Take messages of `bytes` until one is refused; how many went in. */
function fill(share: GateShare, bytes = 1): number {
  let taken = 0;
  while (share.tryTake(bytes)) taken += 1;
  return taken;
}

const giveTimes = (share: GateShare, times: number, bytes = 1): void => {
  for (let i = 0; i < times; i += 1) share.give(bytes);
};

describe("bounds", () => {
  test("a single share may use all messages, and not one more", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    expect(fill(countedShare(gate))).toBe(10);
    expect(gate).toMatchObject({ messages: 10, bytes: 10 });
  });

  test("a single share may use all bytes, and not one more", () => {
    const gate = new InFlightGate({ maxMessages: 1000, maxBytes: 100 });
    expect(fill(countedShare(gate), 30)).toBe(3);
    expect(gate).toMatchObject({ messages: 3, bytes: 90 });
  });

  test.each([1, 2, 3, 7, 16])(
    "each of %d shares may use 2 / (n + 1) of the bounds, rounded up",
    (count) => {
      const gate = new InFlightGate({ maxMessages: 100, maxBytes: 1_000_000 });
      const shares = Array.from({ length: count }, () => countedShare(gate));
      expect(shares.slice(0, 1).map((share) => fill(share))).toEqual([
        Math.ceil(200 / (count + 1)),
      ]);
    },
  );

  test("all shares together never exceed the bounds", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const shares = Array.from({ length: 4 }, () => countedShare(gate));
    expect(shares.map((share) => fill(share))).toEqual([4, 4, 2, 0]);
    expect(gate.messages).toBe(10);
  });

  test("a message larger than the share's part is let in when the share holds nothing and the gate has room", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 100 });
    const [first, second] = [countedShare(gate), countedShare(gate), countedShare(gate)];
    expect([
      first?.tryTake(80),
      first?.tryTake(1),
      second?.tryTake(30),
      second?.tryTake(20),
    ]).toEqual([true, false, false, true]);
  });

  test("a message larger than maxBytes is let in alone and keeps everything else out", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 100 });
    const [first, second] = [countedShare(gate), countedShare(gate)];
    expect(second.tryTake(1)).toBe(true);
    expect(first.tryTake(101)).toBe(false);
    second.give(1);
    expect(first.wakes()).toBe(1);
    expect(first.tryTake(101)).toBe(true);
    expect([first.tryTake(1), second.tryTake(1), second.tryTake(0)]).toEqual([false, false, false]);
    first.give(101);
    expect(gate).toMatchObject({ messages: 0, bytes: 0 });
  });

  test.each([
    ["maxMessages", { maxMessages: 0, maxBytes: 1 }],
    ["maxMessages", { maxMessages: 1.5, maxBytes: 1 }],
    ["maxBytes", { maxMessages: 1, maxBytes: -1 }],
    ["maxBytes", { maxMessages: 1, maxBytes: Number.NaN }],
  ])("%s of %j is rejected", (name, bounds) => {
    expect(() => new InFlightGate(bounds)).toThrow(`${name} must be a positive integer`);
  });

  test("giving back what was not taken throws and changes nothing", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 100 });
    const share = countedShare(gate);
    expect(() => share.give(0)).toThrow("cannot give back");
    share.tryTake(5);
    expect(() => share.give(6)).toThrow("cannot give back");
    expect(gate).toMatchObject({ messages: 1, bytes: 5 });
  });
});

describe("wake-ups", () => {
  test("a refused share is woken once, when usage has fallen to the low mark", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const share = countedShare(gate);
    fill(share);
    giveTimes(share, 4);
    expect(share.wakes()).toBe(0);
    share.give(1);
    expect(share.wakes()).toBe(1);
    giveTimes(share, 5);
    expect(share.wakes()).toBe(1);
  });

  test("a share that was never refused is never woken", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const share = countedShare(gate);
    for (let i = 0; i < 9; i += 1) share.tryTake(1);
    giveTimes(share, 9);
    expect(share.wakes()).toBe(0);
  });

  test("with bounds of one, the share is woken when its only message is given back", () => {
    const gate = new InFlightGate({ maxMessages: 1, maxBytes: 1 });
    const share = countedShare(gate);
    fill(share);
    share.give(1);
    expect(share.wakes()).toBe(1);
  });

  test("a share that was refused by the gate while it held nothing is woken by the others' gives", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const [first, second, third] = [countedShare(gate), countedShare(gate), countedShare(gate)];
    expect([fill(first), fill(second), fill(third)]).toEqual([5, 5, 0]);
    first.give(1);
    expect(third.wakes()).toBe(0);
    first.give(1);
    expect(third.wakes()).toBe(1);
  });

  test("stuck shares do not keep the others asleep as long as a fair part is free", () => {
    const gate = new InFlightGate({ maxMessages: 100, maxBytes: 10_000 });
    const shares = Array.from({ length: 9 }, () => countedShare(gate));
    const [lively, ...others] = shares;
    const stuck = others.slice(0, 4);
    expect(stuck.map((share) => fill(share))).toEqual([20, 20, 20, 20]);
    let handled = 0;
    for (let round = 1; round <= 50; round += 1) {
      const taken = lively === undefined ? 0 : fill(lively);
      handled += taken;
      if (lively !== undefined) giveTimes(lively, taken);
      expect(lively?.wakes()).toBe(round);
    }
    expect(handled).toBe(50 * 20);
  });

  test("shares are woken in the order of their refusals, each after the one before has taken its part", () => {
    const gate = new InFlightGate({ maxMessages: 12, maxBytes: 1000 });
    const order: string[] = [];
    const taking = (name: string): GateShare => {
      const share = gate.share(() => {
        order.push(name);
        fill(share);
      });
      return share;
    };
    const shares = ["a", "b", "c", "d", "e"].map(taking);
    expect(shares.map((share) => fill(share))).toEqual([4, 4, 4, 0, 0]);
    for (const share of shares.slice(0, 3)) giveTimes(share, 4);
    expect(order.slice(0, 2)).toEqual(["d", "e"]);
    expect(gate.messages).toBe(12);
  });

  test("shares that take only after their wake-up get their turns one after the other", () => {
    const gate = new InFlightGate({ maxMessages: 2, maxBytes: 1000 });
    const woken: number[] = [];
    const shares = [0, 1, 2, 3].map((index) => gate.share(() => woken.push(index)));
    const taken = [0, 0, 0, 0];
    let running = shares.flatMap((share, index) => (fill(share) === 1 ? [index] : []));
    for (let round = 0; round < 40; round += 1) {
      for (const index of running.splice(0)) shares[index]?.give(1);
      running = woken.splice(0).filter((index) => shares[index]?.tryTake(1));
      for (const index of running) taken[index] = (taken[index] ?? 0) + 1;
      for (const index of running) shares[index]?.tryTake(1);
    }
    expect(Math.min(...taken)).toBeGreaterThanOrEqual(15);
  });

  test("shares that are woken together and find room for one of them get it in turn", () => {
    const gate = new InFlightGate({ maxMessages: 12, maxBytes: 1000 });
    const stuck = [countedShare(gate), countedShare(gate), countedShare(gate)];
    const woken = [0, 1, 2];
    const shares = woken.map((index) => gate.share(() => woken.push(index)));
    for (let i = 0; i < 11; i += 1) stuck[i % 3]?.tryTake(1);
    const turns = [0, 0, 0];
    for (let round = 0; round < 30; round += 1) {
      for (const index of woken.splice(0)) {
        const share = shares[index];
        if (share !== undefined && fill(share) > 0) turns[index] = (turns[index] ?? 0) + 1;
      }
      for (const share of shares) giveTimes(share, share.messages);
    }
    expect(Math.min(...turns)).toBeGreaterThanOrEqual(9);
  });

  test("a large message waits for its bytes and is not overtaken by a small one behind it", () => {
    const gate = new InFlightGate({ maxMessages: 1000, maxBytes: 100 });
    const busy = [countedShare(gate), countedShare(gate), countedShare(gate)];
    const [large, small] = [countedShare(gate), countedShare(gate)];
    expect(busy.map((share) => fill(share, 10))).toEqual([3, 3, 3]);
    expect(large.tryTake(40)).toBe(false);
    expect([small.tryTake(10), small.tryTake(10)]).toEqual([true, false]);
    for (const share of busy) share.give(10);
    expect([large.wakes(), small.wakes()]).toEqual([0, 0]);
    busy[0]?.give(10);
    expect([large.wakes(), large.tryTake(40), small.wakes()]).toEqual([1, true, 1]);
  });

  test("a waiting message of more than half of maxBytes does not hold up a small one behind it", () => {
    const gate = new InFlightGate({ maxMessages: 1000, maxBytes: 90 });
    const [busy, huge, small] = [countedShare(gate), countedShare(gate), countedShare(gate)];
    const filler = countedShare(gate);
    expect([fill(busy, 9), fill(filler, 9)]).toEqual([4, 4]);
    expect(filler.tryTake(9)).toBe(false);
    expect([huge.tryTake(91), small.tryTake(20)]).toEqual([false, false]);
    giveTimes(busy, 2, 9);
    expect([huge.wakes(), small.wakes()]).toEqual([0, 1]);
  });

  test("a share that settles within its own wake-up wakes the next one", () => {
    const gate = new InFlightGate({ maxMessages: 4, maxBytes: 1000 });
    const [holder, next] = [countedShare(gate), countedShare(gate), countedShare(gate)];
    let runs = 0;
    const instant: GateShare = gate.share(() => {
      while (runs < 100 && instant.tryTake(1)) {
        runs += 1;
        instant.give(1);
      }
    });
    expect([fill(holder), fill(next)]).toEqual([2, 2]);
    instant.tryTake(1);
    holder.give(1);
    holder.give(1);
    expect(runs).toBe(100);
    expect([holder.wakes(), next.wakes()]).toEqual([1, 0]);
    next.give(1);
    expect(next.wakes()).toBe(1);
  });
});

test("a share that gives in its wake-up wakes one that was passed by before", () => {
  const gate = new InFlightGate({ maxMessages: 100, maxBytes: 90 });
  const [first, second, huge] = [countedShare(gate), countedShare(gate), countedShare(gate)];
  const giving: GateShare = gate.share(() => giving.give(10));
  expect([first.tryTake(36), second.tryTake(36), giving.tryTake(10)]).toEqual([true, true, true]);
  expect([huge.tryTake(46), giving.tryTake(9)]).toEqual([false, false]);
  first.give(36);
  expect(huge.wakes()).toBe(1);
});
