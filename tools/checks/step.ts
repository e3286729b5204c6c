/** One gate of the project: a command that has to end with status 0. */
export interface Step {
  /** What people read, and what `--only=` takes. */
  readonly name: string;
  /** Steps that must have passed before. */
  readonly needs?: readonly string[];
  /** Part of `pnpm check`: it runs no test and needs no broker. */
  readonly isStatic?: boolean;
  /** Globs from the root; when nothing matches, the step has nothing to do yet. */
  readonly inputs?: readonly string[];
  readonly command: readonly [string, ...string[]];
  /** Longest run, in milliseconds. */
  readonly timeoutMs: number;
  /** `vitest`: the command takes a file for its JSON report, and its tests are counted one by one. Default: the step counts as one. */
  readonly counts?: "vitest";
}

/** How many tests of each kind a step or a whole run has seen. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** How a step has ended. */
export type StepOutcome =
  | {
      readonly kind: "ran";
      readonly counts: Counts;
      readonly durationMs: number;
      readonly output: string;
      /** Names of the tests that were not run. */
      readonly skipped: readonly string[];
    }
  | { readonly kind: "blocked"; readonly by: string }
  | { readonly kind: "no-input" };

/** Nothing seen yet. */
export const NO_COUNTS: Counts = { passed: 0, failed: 0, skipped: 0 };

/** Sum of two counts. */
export function addCounts(left: Counts, right: Counts): Counts {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

/** The closing line: `12 passed, 0 failed`, with `, 3 skipped` when there are any. */
export function summaryLine(counts: Counts): string {
  const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}
