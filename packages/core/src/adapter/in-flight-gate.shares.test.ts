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

describe("a share that tries again before it is woken", () => {
  test("is woken once for all its refusals, also when one of the tries succeeds", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const [busy, waiting] = [countedShare(gate), countedShare(gate)];
    for (let i = 0; i < 6; i += 1) busy.tryTake(1);
    expect(fill(waiting)).toBe(4);
    giveTimes(busy, 3);
    for (let i = 0; i < 3; i += 1) busy.tryTake(1);
    expect([waiting.wakes(), waiting.tryTake(1)]).toEqual([1, false]);
    busy.give(1);
    expect([waiting.tryTake(1), waiting.tryTake(1)]).toEqual([true, false]);
    giveTimes(busy, 5);
    expect(waiting.wakes()).toBe(2);
  });

  test("waits for its own part of the bounds once that is what refuses it", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const [other, eager] = [countedShare(gate), countedShare(gate)];
    expect([fill(other), fill(eager)]).toEqual([7, 3]);
    for (let i = 0; i < 2; i += 1) {
      giveTimes(other, 2);
      eager.tryTake(1);
      eager.tryTake(1);
    }
    expect(eager.tryTake(1)).toBe(false);
    giveTimes(other, 3);
    expect(eager).toMatchObject({ messages: 7 });
    expect(eager.wakes()).toBe(0);
    giveTimes(eager, 4);
    expect(eager.wakes()).toBe(1);
  });
});

test("opening a share wakes one that waits for no more than what is free by then", () => {
  const gate = new InFlightGate({ maxMessages: 12, maxBytes: 1000 });
  const [busy, waiting] = [countedShare(gate), countedShare(gate)];
  expect([fill(busy), fill(waiting)]).toEqual([8, 4]);
  giveTimes(busy, 3);
  expect(waiting.wakes()).toBe(0);
  countedShare(gate);
  expect(waiting.wakes()).toBe(1);
});

describe("closing a share", () => {
  test("gives back what is inside, and later gives are ignored", () => {
    const gate = new InFlightGate({ maxMessages: 10, maxBytes: 1000 });
    const [left, kept] = [countedShare(gate), countedShare(gate)];
    left.tryTake(7);
    left.tryTake(5);
    kept.tryTake(1);
    left.close();
    left.close();
    left.give(7);
    expect(gate).toMatchObject({ messages: 1, bytes: 1 });
    expect(left).toMatchObject({ messages: 0, bytes: 0 });
    expect(left.tryTake(1)).toBe(false);
  });

  test("wakes those who waited for its room", () => {
    const gate = new InFlightGate({ maxMessages: 6, maxBytes: 1000 });
    const [left, kept] = [countedShare(gate), countedShare(gate)];
    expect([fill(left), fill(kept)]).toEqual([4, 2]);
    left.close();
    expect([left.wakes(), kept.wakes()]).toEqual([0, 1]);
  });

  test("wakes a share whose own limit has grown beyond what it holds", () => {
    const gate = new InFlightGate({ maxMessages: 12, maxBytes: 1000 });
    const [idle, other, full] = [countedShare(gate), countedShare(gate), countedShare(gate)];
    expect(fill(full)).toBe(6);
    idle.close();
    expect(full.wakes()).toBe(0);
    other.close();
    expect(full.wakes()).toBe(1);
    expect(fill(full)).toBe(6);
  });

  test("a share that waits and is closed is not woken", () => {
    const gate = new InFlightGate({ maxMessages: 2, maxBytes: 1000 });
    const [holder, waiting] = [countedShare(gate), countedShare(gate)];
    expect([fill(holder), fill(waiting)]).toEqual([2, 0]);
    waiting.close();
    giveTimes(holder, 2);
    expect([holder.wakes(), waiting.wakes()]).toEqual([1, 0]);
  });
});
