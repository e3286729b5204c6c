import { afterAll, expect, test } from "vitest";
import { formatConformanceTable, runOrderingConformance } from "@bus/testkit";
import { memoryOrdering } from "./support/ordering-subjects.ts";

const run = runOrderingConformance(memoryOrdering(), {
  test: (name, body, { timeoutMs }) => test.concurrent(name, body, timeoutMs),
  skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
});

test("nothing is skipped", () => {
  expect(run.results.filter(({ outcome }) => outcome === "skipped")).toEqual([]);
});

afterAll(() => process.stdout.write(`${formatConformanceTable(run.results)}\n`));
