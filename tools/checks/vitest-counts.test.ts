import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Counts } from "./step.ts";
import { vitestCounts } from "./vitest-counts.ts";

const GREEN = {
  success: true,
  numPassedTests: 7,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [],
};
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bus-counts-"));
});

afterEach(async () => await rm(folder, { recursive: true, force: true }));

test("tests are counted by how they ended, todo as skipped", async () => {
  expect(await counts(GREEN, 0)).toEqual({ passed: 7, failed: 0, skipped: 2 });
  expect(await counts({ ...GREEN, success: false, numFailedTests: 3 }, 1)).toEqual({
    passed: 7,
    failed: 3,
    skipped: 2,
  });
});

test("a run that failed outside of its tests is one failure", async () => {
  expect(await counts(GREEN, 1)).toMatchObject({ passed: 7, failed: 1 });
  expect(await counts({ ...GREEN, success: false }, 0)).toMatchObject({ passed: 7, failed: 1 });
});

test("a run without tests has proven nothing", async () => {
  expect(await counts({ ...GREEN, numPassedTests: 0 }, 0)).toMatchObject({ passed: 0, failed: 1 });
});

test("a run that wrote no report is one failure", async () => {
  const result = await vitestCounts(join(folder, "missing.json"), 0);
  expect(result.counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

async function counts(report: object, status: number): Promise<Counts> {
  const file = join(folder, "report.json");
  await writeFile(file, JSON.stringify(report));
  return (await vitestCounts(file, status)).counts;
}
