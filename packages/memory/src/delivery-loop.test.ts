import { setImmediate as nextTurn } from "node:timers/promises";
import { manualClock } from "@bus/testkit";
import { describe, expect, test } from "vitest";
import { DeliveryLoop } from "./delivery-loop.ts";
import type { DeliverySource } from "./delivery-loop.ts";
import { seededRandom } from "./seeded-random.ts";

/** A source of so many messages. */
class Countdown implements DeliverySource {
  listed = false;
  readonly #onDeliver: () => void;
  left: number;

  constructor(messages: number, onDeliver: () => void = () => {}) {
    this.left = messages;
    this.#onDeliver = onDeliver;
  }

  get ready(): boolean {
    return this.left > 0;
  }

  deliverSome(max: number): number {
    const some = Math.min(max, this.left);
    this.left -= some;
    this.#onDeliver();
    return some;
  }
}

const loopOf = (clock = manualClock()): DeliveryLoop => new DeliveryLoop(clock, seededRandom(7));

describe("the delivery loop", () => {
  test("delivers in the same turn of the event loop, but not inside add", async () => {
    const loop = loopOf();
    const source = new Countdown(10);
    loop.add(source);
    loop.add(source);
    expect(source.left).toBe(10);
    await Promise.resolve();
    expect(source.left).toBe(0);
  });

  test("lets the event loop have a turn after some thousand messages, and goes on by itself", async () => {
    const loop = loopOf();
    const source = new Countdown(10_000);
    loop.add(source);
    await Promise.resolve();
    const left = [source.left];
    while (source.ready) {
      await nextTurn();
      left.push(source.left);
    }
    expect(left).toEqual([5904, 1808, 0]);
  });

  test("lets the event loop have a turn when delivering takes long, however few messages it were", async () => {
    const clock = manualClock();
    const loop = loopOf(clock);
    const source = new Countdown(1000, () => clock.advance(6));
    loop.add(source);
    await Promise.resolve();
    expect(source.left).toBeGreaterThan(700);
    while (source.ready) await nextTurn();
  });

  test("also counts what is delivered in later microtasks of the same turn", async () => {
    const loop = loopOf();
    let delivered = 0;
    let turns = 0;
    const source: Countdown = new Countdown(1, () => {
      delivered += 1;
      if (delivered === 20_000) return;
      queueMicrotask(() => {
        source.left = 1;
        loop.add(source);
      });
    });
    loop.add(source);
    while (delivered < 20_000) {
      await nextTurn();
      turns += 1;
    }
    expect(turns).toBe(4);
  });

  test("serves every source, none of them to its end first", async () => {
    const loop = loopOf();
    const finished: number[] = [];
    const sources: Countdown[] = [1000, 1000, 1000].map(
      (messages, index) =>
        new Countdown(messages, () => sources[index]?.ready === false && finished.push(index)),
    );
    for (const source of sources) loop.add(source);
    let seenPartly = 0;
    const watch = new Countdown(1, () => {
      seenPartly = sources.filter(({ left }) => left < 1000).length;
    });
    loop.add(watch);
    while (sources.some(({ ready }) => ready)) await nextTurn();
    expect(finished.toSorted((left, right) => left - right)).toEqual([0, 1, 2]);
    expect(seenPartly).toBeGreaterThan(0);
  });

  test("forgets a removed source, also one that is delayed, and leaves no timer", async () => {
    const clock = manualClock();
    const loop = loopOf(clock);
    const [prompt, delayed] = [new Countdown(5), new Countdown(5)];
    loop.add(prompt);
    loop.delayMs = 100;
    loop.add(delayed);
    loop.remove(prompt);
    loop.remove(delayed);
    loop.remove(delayed);
    await clock.advanceAsync(200);
    expect([prompt.left, delayed.left, clock.pending]).toEqual([5, 5, 0]);
  });
});
