import { expect, test } from "vitest";
import { route } from "./route.ts";

const TABLE = [
  ["recovery", "ordered", "none", "direct"],
  ["recovery", "ordered", "free", "lane"],
  ["recovery", "ordered", "overlapping", "lane"],
  ["recovery", "ordered", "lane", "lane"],
  ["recovery", "overlapping", "none", "direct"],
  ["recovery", "overlapping", "free", "lane"],
  ["recovery", "overlapping", "overlapping", "lane"],
  ["recovery", "overlapping", "lane", "lane"],
  ["normal", "ordered", "none", "direct"],
  ["normal", "ordered", "free", "alone"],
  ["normal", "ordered", "overlapping", "lane"],
  ["normal", "ordered", "lane", "lane"],
  ["normal", "overlapping", "none", "direct"],
  ["normal", "overlapping", "free", "overlapping"],
  ["normal", "overlapping", "overlapping", "overlapping"],
  ["normal", "overlapping", "lane", "lane"],
] as const;

test.each(TABLE)("in %s mode, %s, an aggregate in state %s goes %s", (...row) => {
  const [mode, promise, aggregate, way] = row;
  expect(route(mode, promise, aggregate)).toBe(way);
});
