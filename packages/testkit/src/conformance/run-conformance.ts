import { systemClock } from "@bus/core/adapter";
import { testHost } from "../test-host.ts";
import { within } from "../until.ts";
import type { ConformanceOutcome, ConformanceResult } from "./conformance-result.ts";
import { GUARANTEES } from "./guarantees.ts";
import { reasonToSkip } from "./guarantee.ts";
import type { Guarantee, GuaranteeTest } from "./guarantee.ts";
import { Lab } from "./lab.ts";
import { CONFORMANCE_TIMINGS } from "./subject.ts";
import type { ConformanceSubject, ConformanceTimings } from "./subject.ts";

/** The test runner, passed in: vitest, node:test, mocha or your own. */
export interface ConformanceRunner {
  /** Register one test. */
  test(name: string, body: () => Promise<void>, options: ConformanceTestOptions): void;
  /** Register a test that does not run, so that its reason is printed. Without it, an empty test carries the reason in its name. */
  skip?(name: string, reason: string): void;
}

/** What a runner should know about a test. */
export interface ConformanceTestOptions {
  /** Milliseconds after which the runner may give up; the kit's own waits end earlier and say more. */
  readonly timeoutMs: number;
  /** Whether no other test of this process may run meanwhile. All others may run side by side. */
  readonly alone: boolean;
}

/** A registered suite; `results` fills while the runner works. */
export interface ConformanceRun {
  readonly results: readonly ConformanceResult[];
}

/** Which part of the kit to register. */
export interface ConformanceSelection {
  /** Names of guarantees; everything when absent. */
  readonly guarantees?: readonly string[];
}

/**
 * Register every guarantee for a transport with a test runner. What runs follows from the transport's capabilities and
 * from the faults that the subject can cause; everything else is skipped with its reason.
 *
 * @throws TypeError when `subject.skip` or the selection names a guarantee or test that does not exist.
 */
export function runConformance(
  subject: ConformanceSubject,
  runner: ConformanceRunner,
  selection: ConformanceSelection = {},
): ConformanceRun {
  return registerGuarantees(subject, runner, { ...selection, from: GUARANTEES });
}

/** Which guarantees to register, and from which list. */
export interface GuaranteeSelection extends ConformanceSelection {
  readonly from: readonly Guarantee[];
}

/** Register guarantees of a list with a test runner. Throws as `runConformance`. */
export function registerGuarantees(
  subject: ConformanceSubject,
  runner: ConformanceRunner,
  selection: GuaranteeSelection,
): ConformanceRun {
  const results: ConformanceResult[] = [];
  const { capabilities } = subject.transport().create(testHost());
  const plan = planned(selection);
  checkSkips(subject, selection.from);
  const timings = { ...CONFORMANCE_TIMINGS, ...subject.timings };
  // The kit gives up first and says what it waited for; the rest is for closing what the test left open.
  const timeoutMs = deadlineOf(timings) + timings.stepMs * 2;
  const run = `${systemClock.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  for (const [index, { guarantee, test }] of plan.entries()) {
    const name = `${subject.name}: ${guarantee.name}: ${test.name}`;
    const record = recorder(results, {
      subject: subject.name,
      guarantee: guarantee.name,
      test: test.name,
    });
    const reason = skipped(subject, guarantee, test) ?? reasonToSkip(test, subject, capabilities);
    if (reason === undefined) {
      const body = (): Promise<void> =>
        runTest(test, new Lab(subject, `bus-${run}-${index}`), record);
      runner.test(name, body, { timeoutMs, alone: test.alone ?? false });
      continue;
    }
    record({ outcome: "skipped", reason, durationMs: 0, figures: {} });
    registerSkip(runner, name, reason);
  }
  return { results };
}

interface PlannedTest {
  readonly guarantee: Guarantee;
  readonly test: GuaranteeTest;
}

function planned({ from, guarantees: names }: GuaranteeSelection): readonly PlannedTest[] {
  const unknown = names?.find((name) => !from.some((guarantee) => guarantee.name === name));
  if (unknown !== undefined) throw new TypeError(`no guarantee is named ${unknown}`);
  const chosen = from.filter((guarantee) => names === undefined || names.includes(guarantee.name));
  return chosen.flatMap((guarantee) => guarantee.tests.map((test) => ({ guarantee, test })));
}

/** A skip that matches nothing hides that its test was renamed or mended. */
function checkSkips(subject: ConformanceSubject, guarantees: readonly Guarantee[]): void {
  for (const { test: name } of subject.skip ?? []) {
    const known = guarantees.some(
      (guarantee) =>
        guarantee.name === name ||
        guarantee.tests.some((test) => fullName(guarantee, test) === name),
    );
    if (!known) throw new TypeError(`skip names ${name}, which is no guarantee and no test`);
  }
}

function skipped(
  subject: ConformanceSubject,
  guarantee: Guarantee,
  test: GuaranteeTest,
): string | undefined {
  return subject.skip?.find(
    (skip) => skip.test === guarantee.name || skip.test === fullName(guarantee, test),
  )?.reason;
}

function fullName(guarantee: Guarantee, test: GuaranteeTest): string {
  return `${guarantee.name}: ${test.name}`;
}

function registerSkip(runner: ConformanceRunner, name: string, reason: string): void {
  if (runner.skip !== undefined) return runner.skip(name, reason);
  runner.test(`${name} (skipped: ${reason})`, () => Promise.resolve(), {
    timeoutMs: 1_000,
    alone: false,
  });
}

/** Room for a few steps and take-overs; a test that needs more hangs somewhere. */
function deadlineOf({ stepMs, takeoverMs }: ConformanceTimings): number {
  return stepMs * 4 + takeoverMs * 2;
}

type Recorder = (
  result: Pick<ConformanceResult, "outcome" | "reason" | "durationMs" | "figures">,
) => void;

function recorder(
  results: ConformanceResult[],
  identity: Pick<ConformanceResult, "subject" | "guarantee" | "test">,
): Recorder {
  return (result) => void results.push({ ...identity, ...result });
}

async function runTest(test: GuaranteeTest, lab: Lab, record: Recorder): Promise<void> {
  const startedMs = systemClock.monotonicMs();
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  const { timings } = lab;
  // The deadline's timer is there before the test looks at what keeps the process alive.
  const running = Promise.resolve().then(() => test.run(lab));
  const ended = within(running, { timeoutMs: deadlineOf(timings), what: "the test to end" });
  await ended.catch(note);
  await lab.dispose().catch(note);
  const [first] = errors;
  const outcome: ConformanceOutcome = errors.length === 0 ? "passed" : "failed";
  const reason = errors.length === 0 ? "" : messageOf(first);
  record({
    outcome,
    reason,
    durationMs: systemClock.monotonicMs() - startedMs,
    figures: lab.figures,
  });
  if (errors.length > 0) throw first;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
