import { expect, test } from "vitest";
import { DeliveryTimes } from "./delivery-times.ts";

test("an offset has the time of the last mark at or below it", () => {
  const times = new DeliveryTimes();
  times.mark(10, 100, 10);
  times.mark(20, 100, 10);
  times.mark(30, 200, 10);
  expect([9, 10, 25, 30, 99].map((offset) => times.at(offset))).toEqual([
    undefined,
    100,
    100,
    200,
    200,
  ]);
});

test("marks that nobody will ask for are dropped, the one that covers the oldest offset stays", () => {
  const times = new DeliveryTimes();
  for (let offset = 0; offset < 100; offset += 10)
    times.mark(offset, offset, Math.max(offset - 25, 0));
  expect([14, 65, 70, 95].map((offset) => times.at(offset))).toEqual([undefined, 60, 70, 90]);
});

test("a second try from the same offset counts: the first delivered nothing", () => {
  const times = new DeliveryTimes();
  times.mark(5, 100, 5);
  times.mark(5, 200, 5);
  expect(times.at(5)).toBe(200);
});
