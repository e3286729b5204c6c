import { expect, test } from "vitest";
import { seededRandom } from "./seeded-random.ts";

const draw = (seed: number, count: number): readonly number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

test("the same seed gives the same numbers, another seed others", () => {
  expect(draw(42, 50)).toEqual(draw(42, 50));
  expect(draw(42, 50)).not.toEqual(draw(43, 50));
});

test("numbers lie in [0, 1) and are spread evenly", () => {
  const numbers = draw(-7, 20_000);
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  const tenths = Array.from(
    { length: 10 },
    (_, tenth) => numbers.filter((number) => Math.floor(number * 10) === tenth).length,
  );
  expect(Math.min(...tenths)).toBeGreaterThan(1800);
});
