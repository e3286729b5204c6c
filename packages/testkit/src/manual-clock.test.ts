import { expect, test } from "vitest";
import { wait } from "@bus/core/adapter";
import { manualClock } from "./manual-clock.ts";

test("time stands still until it is moved", () => {
  const clock = manualClock({ startMs: 1_000 });
  let ran = 0;
  clock.schedule(() => ran++, 10);
  clock.advance(9);
  expect([ran, clock.pending, clock.now(), clock.monotonicMs()]).toEqual([0, 1, 1_009, 9]);
  clock.advance(1);
  expect([ran, clock.pending, clock.now()]).toEqual([1, 0, 1_010]);
});

test("due callbacks run in order of time, those of one time in order of scheduling, each at its own time", () => {
  const clock = manualClock();
  const ran: string[] = [];
  const note = (name: string) => (): void => void ran.push(`${name}@${clock.now()}`);
  clock.schedule(note("late"), 20);
  clock.schedule(note("first"), 5);
  clock.schedule(note("second"), 5);
  clock.advance(50);
  expect(ran).toEqual(["first@5", "second@5", "late@20"]);
  expect(clock.now()).toBe(50);
});

test("what a callback schedules runs in the same advance when it is due by then", () => {
  const clock = manualClock();
  const ran: number[] = [];
  const repeat = (): void => {
    ran.push(clock.now());
    clock.schedule(repeat, 10);
  };
  clock.schedule(repeat, 10);
  clock.advance(35);
  expect(ran).toEqual([10, 20, 30]);
  expect(clock.pending).toBe(1);
});

test("a cancelled callback never runs, and cancelling twice or late does no harm", () => {
  const clock = manualClock();
  let ran = 0;
  const cancel = clock.schedule(() => ran++, 5);
  cancel();
  cancel();
  const cancelLate = clock.schedule(() => ran++, 5);
  clock.advance(5);
  cancelLate();
  expect([ran, clock.pending]).toEqual([1, 0]);
});

test("a delay below zero is due at once, a delay that is no number is refused, time never goes backwards", () => {
  const clock = manualClock();
  let ran = 0;
  clock.schedule(() => ran++, -5);
  clock.advance(0);
  expect([ran, clock.now()]).toEqual([1, 0]);
  expect(() => clock.schedule(() => ran++, Number.NaN)).toThrow(/delayMs must be a finite number/);
  expect(() => clock.advance(-1)).toThrow(/never goes backwards/);
});

test("advanceAsync lets promises settle between callbacks, so that a loop of waits goes round", async () => {
  const clock = manualClock();
  const ran: number[] = [];
  const loop = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      await wait(clock, 10);
      ran.push(clock.now());
    }
  };
  const looping = loop();
  await clock.advanceAsync(100);
  await looping;
  expect(ran).toEqual([10, 20, 30]);
  expect(clock.now()).toBe(100);
});
