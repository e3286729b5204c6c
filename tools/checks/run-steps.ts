import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";

import { findFiles } from "./find-files.ts";
import { commandLine, runProgram } from "./run-program.ts";
import type { RunResult } from "./run-program.ts";
import { NO_COUNTS, addCounts } from "./step.ts";
import type { Counts, Step, StepOutcome } from "./step.ts";
import { vitestCounts } from "./vitest-counts.ts";
import type { VitestResult } from "./vitest-counts.ts";

/** Where steps run, and where they say how it went. */
export interface RunStepsOptions {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  /** Takes text as it comes; lines end with a line feed. */
  readonly write: (text: string) => void;
  /** Stops the step that runs, and starts no other. */
  readonly signal: AbortSignal;
}

/** Run steps one after the other, print one line for each and the output of those that failed, and count their tests. */
export async function runSteps(steps: readonly Step[], options: RunStepsOptions): Promise<Counts> {
  const passed = new Set<string>();
  let total = NO_COUNTS;
  for (const step of steps) {
    if (options.signal.aborted) break;
    options.write(`${step.name.padEnd(16)} `);
    const outcome = await runStep(step, passed, options);
    options.write(`${outcomeLine(outcome)}\n${skippedLines(outcome)}`);
    if (isPassed(outcome)) passed.add(step.name);
    else if (outcome.kind === "ran") options.write(failureText(step, outcome.output));
    total = addCounts(total, countsOf(outcome));
  }
  return total;
}

/**
 * The steps that a choice asks for, with everything they need, in their order.
 *
 * @param only - `undefined` for all of them, `static` for those that run no test, or the name of one.
 * @throws Error when there is no such step.
 */
export function chooseSteps(all: readonly Step[], only: string | undefined): readonly Step[] {
  if (only === undefined) return all;
  if (only === "static") return all.filter((step) => step.isStatic === true);
  const chosen = new Set<string>();
  const choose = (name: string): void => {
    const step = all.find((each) => each.name === name);
    if (step === undefined) {
      throw new Error(
        `there is no step ${name}; there are static, ${all.map((each) => each.name).join(", ")}`,
      );
    }
    chosen.add(name);
    for (const need of step.needs ?? []) choose(need);
  };
  choose(only);
  return all.filter((step) => chosen.has(step.name));
}

async function runStep(
  step: Step,
  passed: ReadonlySet<string>,
  options: RunStepsOptions,
): Promise<StepOutcome> {
  const blocker = step.needs?.find((need) => !passed.has(need));
  if (blocker !== undefined) return { kind: "blocked", by: blocker };
  if (!(await hasInput(step, options.root))) return { kind: "no-input" };
  const report = join(options.root, "temp", "reports", `${step.name}.json`);
  await mkdir(dirname(report), { recursive: true });
  await rm(report, { force: true });
  const startedAtMs = performance.now();
  const result = await runProgram(withReport(step, report), {
    cwd: options.root,
    env: options.env,
    timeoutMs: step.timeoutMs,
    signal: options.signal,
  });
  const durationMs = performance.now() - startedAtMs;
  const { counts, skipped } =
    step.counts === "vitest" ? await vitestCounts(report, result.status) : oneGate(result);
  return { kind: "ran", counts, skipped, durationMs, output: result.output };
}

async function hasInput(step: Step, root: string): Promise<boolean> {
  return step.inputs === undefined || (await findFiles(step.inputs, root)).length > 0;
}

function withReport(step: Step, report: string): readonly [string, ...string[]] {
  if (step.counts !== "vitest") return step.command;
  return [...step.command, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
}

function oneGate({ status }: RunResult): VitestResult {
  const counts = status === 0 ? { ...NO_COUNTS, passed: 1 } : { ...NO_COUNTS, failed: 1 };
  return { counts, skipped: [] };
}

function isPassed(outcome: StepOutcome): boolean {
  return outcome.kind === "no-input" || (outcome.kind === "ran" && outcome.counts.failed === 0);
}

/** A step that could not run because another failed is no success: it counts as failed too. */
function countsOf(outcome: StepOutcome): Counts {
  switch (outcome.kind) {
    case "ran":
      return outcome.counts;
    case "blocked":
      return { ...NO_COUNTS, failed: 1 };
    case "no-input":
      return NO_COUNTS;
  }
}

function outcomeLine(outcome: StepOutcome): string {
  switch (outcome.kind) {
    case "ran": {
      const { passed, failed, skipped } = outcome.counts;
      const verdict = failed === 0 ? "ok" : "FAILED";
      const tests =
        passed + failed + skipped === 1
          ? ""
          : `  ${passed} passed, ${failed} failed, ${skipped} skipped`;
      return `${verdict.padEnd(6)} ${(outcome.durationMs / 1000).toFixed(1).padStart(6)} s${tests}`;
    }
    case "blocked":
      return `FAILED  not run: ${outcome.by} has failed`;
    case "no-input":
      return "-       nothing to do yet";
  }
}

/** A test that was not run is never silent. */
function skippedLines(outcome: StepOutcome): string {
  if (outcome.kind !== "ran") return "";
  return outcome.skipped.map((name) => `  | not run: ${name}\n`).join("");
}

function failureText(step: Step, output: string): string {
  const indented = stripVTControlCharacters(output).trimEnd().replaceAll(/^/gm, "  | ");
  return `${indented}\n  | this step alone: pnpm test --only=${step.name}\n  | its command:     ${commandLine(step.command)}\n`;
}
