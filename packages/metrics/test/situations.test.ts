import { readFileSync } from "node:fs";
import { AGGREGATE_METRICS } from "@bus/aggregate";
import { BACKLOG_METRICS } from "@bus/backlog";
import { BUS_METRICS } from "@bus/core";
import { DLQ_METRICS } from "@bus/dlq";
import { expect, it } from "vitest";
import { HEALTH_SITUATIONS, METRIC_SITUATIONS } from "./support/situations.ts";
import type { Situation } from "./support/situations.ts";

/** The source of the test that causes a situation; empty when there is none. */
function sourceOf({ suite, test }: Situation): string {
  const text = readFileSync(new URL(suite, import.meta.url), "utf8");
  const begin = text.indexOf(`it("${test}"`);
  if (begin < 0) return "";
  const end = text.indexOf("\n  it(", begin + 1);
  const next = text.indexOf("\nit(", begin + 1);
  const ends = [end, next].filter((index) => index > 0);
  return text.slice(begin, ends.length === 0 ? undefined : Math.min(...ends));
}

it("every metric is asked for in a situation on a real broker", () => {
  const tables = [BUS_METRICS, AGGREGATE_METRICS, BACKLOG_METRICS, DLQ_METRICS];
  const names = tables.flatMap((table) => Object.values(table).map(({ name }) => name));
  expect(Object.keys(METRIC_SITUATIONS).toSorted()).toEqual(names.toSorted());
  const missing = Object.entries(METRIC_SITUATIONS).filter(
    ([name, situation]) => !sourceOf(situation).includes(`"${name}`),
  );
  expect(missing.map(([name, { test }]) => `${name}: ${test}`)).toEqual([]);
});

it("every state of health is reached in a situation on a real broker", () => {
  const missing = HEALTH_SITUATIONS.filter(
    ({ state, situation }) => !sourceOf(situation).toLowerCase().includes(state),
  );
  expect(missing).toEqual([]);
});
