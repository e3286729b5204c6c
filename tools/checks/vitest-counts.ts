import { readFile } from "node:fs/promises";

import type { Counts } from "./step.ts";

/** The tests of one vitest run. */
export interface VitestResult {
  readonly counts: Counts;
  /** Full names of the tests that were not run. */
  readonly skipped: readonly string[];
}

/** What is read of the JSON that vitest's `json` reporter writes. */
interface VitestReport {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/**
 * Count the tests of one vitest run.
 *
 * A run that failed without a failed test (a file that does not load, an unhandled rejection, no report at all) counts as one failure, and so does a run without any test: nothing was proven.
 *
 * @param reportFile - What the `json` reporter has written, if it came that far.
 * @param status - Exit status of vitest.
 */
export async function vitestCounts(reportFile: string, status: number): Promise<VitestResult> {
  const report = await readReport(reportFile);
  if (report === undefined) return { counts: { passed: 0, failed: 1, skipped: 0 }, skipped: [] };
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  const failed = status !== 0 || !report.success || counts.passed + counts.failed === 0;
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const skipped = tests.filter((each) => each.status !== "passed" && each.status !== "failed");
  return {
    counts: failed && counts.failed === 0 ? { ...counts, failed: 1 } : counts,
    skipped: skipped.map(({ fullName }) => fullName),
  };
}

async function readReport(file: string): Promise<VitestReport | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as VitestReport;
  } catch {
    return undefined; // vitest ended before it wrote one
  }
}
