import { expect, test } from "vitest";
import type { ConformanceResult, ConformanceTimings } from "@bus/testkit";
import type { KnownBreakage } from "./breakages.ts";
import { broken } from "./broken-transport.ts";
import { memorySubject } from "./memory-subject.ts";
import { GUARANTEE_NAMES, runKit } from "./run-kit.ts";

const TIMEOUT_MS = 120_000;

/** For tests that must fail: many of them do so by waiting in vain. */
const IMPATIENT: Partial<ConformanceTimings> = { stepMs: 1_500, closeLateMs: 700 };

/** For tests that must pass: patience costs nothing, and a busy machine is no reason to fail. */
const PATIENT: Partial<ConformanceTimings> = {
  stepMs: 30_000,
  takeoverMs: 10_000,
  commitMs: 2_000,
  redeliveryLateMs: 5_000,
  closeLateMs: 5_000,
};

/** Its tests look at the whole process, so nothing else may run meanwhile. */
const LOOKS_AT_PROCESS = "nothing left after close";

/** Each breakage must make its own guarantee fail, and no other: then a red guarantee means what it says. */
export function describeCatches(breakages: readonly KnownBreakage[]): void {
  const sharing = breakages.filter(({ guarantee }) => guarantee !== LOOKS_AT_PROCESS);
  const alone = breakages.filter(({ guarantee }) => guarantee === LOOKS_AT_PROCESS);
  for (const breakage of sharing)
    test.concurrent(nameOf(breakage), { timeout: TIMEOUT_MS }, () => failsItsOwn(breakage));
  for (const breakage of alone)
    test(nameOf(breakage), { timeout: TIMEOUT_MS }, () => failsItsOwn(breakage));
  test(
    "none of those that share the process leaves anything behind in it",
    { timeout: TIMEOUT_MS },
    async () => {
      for (const { broken: promise } of sharing) {
        const results = await runKit(broken(memorySubject(PATIENT), promise), {
          guarantees: [LOOKS_AT_PROCESS],
        });
        expect(failed(results)).toEqual([]);
      }
    },
  );
}

function nameOf({ what, guarantee }: KnownBreakage): string {
  return `a transport that ${what} fails "${guarantee}" and nothing else`;
}

async function failsItsOwn({ guarantee, broken: promise }: KnownBreakage): Promise<void> {
  const others = GUARANTEE_NAMES.filter(
    (other) => other !== guarantee && other !== LOOKS_AT_PROCESS,
  );
  const own = failed(
    await runKit(broken(memorySubject(IMPATIENT), promise), { guarantees: [guarantee] }),
  );
  const spoilt = failed(
    await runKit(broken(memorySubject(PATIENT), promise), { guarantees: others }),
  );
  expect(own.length, "failing tests of its own guarantee").toBeGreaterThan(0);
  expect(spoilt, "failing tests of other guarantees").toEqual([]);
}

function failed(results: readonly ConformanceResult[]): readonly string[] {
  return results
    .filter(({ outcome }) => outcome === "failed")
    .map(({ guarantee, test: failing, reason }) => `${guarantee}: ${failing}: ${reason}`);
}
