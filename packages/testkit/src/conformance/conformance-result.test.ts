import { expect, test } from "vitest";
import { formatConformanceTable } from "./conformance-result.ts";
import type { ConformanceResult } from "./conformance-result.ts";

const result = (parts: Partial<ConformanceResult>): ConformanceResult => ({
  subject: "memory",
  guarantee: "partition order",
  test: "in order",
  outcome: "passed",
  reason: "",
  durationMs: 1,
  figures: {},
  ...parts,
});

test("the table has a row for each guarantee, a column for each subject, and counts outcomes", () => {
  const table = formatConformanceTable([
    result({}),
    result({ test: "in another order", outcome: "failed", reason: "offset 3 came after 4" }),
    result({ subject: "kafka" }),
    result({ guarantee: "redelivery after nack", outcome: "skipped", reason: "no nack" }),
  ]);
  expect(table.split("\n").slice(0, 4)).toEqual([
    "| guarantee | memory | kafka |",
    "| --- | --- | --- |",
    "| partition order | 1 failed, 1 passed | 1 passed |",
    "| redelivery after nack | 1 skipped | not run |",
  ]);
});

test("reasons of skips and failures and measured figures stand below the table", () => {
  const table = formatConformanceTable([
    result({ outcome: "skipped", reason: "the subject has no faults.crash" }),
    result({ subject: "kafka", figures: { duplicates: 3 } }),
    result({ subject: "nats" }),
  ]);
  expect(table.split("\n").slice(4)).toEqual([
    "- memory, partition order: in order: skipped: the subject has no faults.crash",
    "- kafka, partition order: in order: passed: duplicates 3",
  ]);
});
