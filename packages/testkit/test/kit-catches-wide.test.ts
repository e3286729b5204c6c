import { expect, test } from "vitest";
import { broken } from "./support/broken-transport.ts";
import { memorySubject } from "./support/memory-subject.ts";
import { runKit } from "./support/run-kit.ts";
import { WIDE_BREAKAGES } from "./support/wide-breakages.ts";
import type { WideBreakage } from "./support/wide-breakages.ts";

/** Its tests count what the whole process holds, so nothing else may run meanwhile. */
const LOOKS_AT_PROCESS = "nothing left after close";
const IMPATIENT = { stepMs: 1_500, closeLateMs: 700 };
const TIMEOUT_MS = 120_000;

async function failsAll({ guarantees, broken: promise }: WideBreakage): Promise<void> {
  const results = await runKit(broken(memorySubject(IMPATIENT), promise), { guarantees });
  const failing = results.filter(({ outcome }) => outcome === "failed");
  const names = new Set(failing.map(({ guarantee }) => guarantee));
  expect([...names].toSorted()).toEqual(guarantees.toSorted());
}

const nameOf = ({ what }: WideBreakage): string =>
  `a transport that ${what} fails every guarantee that rests on it`;
const looksAtProcess = ({ guarantees }: WideBreakage): boolean =>
  guarantees.includes(LOOKS_AT_PROCESS);

for (const breakage of WIDE_BREAKAGES.filter((one) => !looksAtProcess(one))) {
  test.concurrent(nameOf(breakage), { timeout: TIMEOUT_MS }, () => failsAll(breakage));
}

for (const breakage of WIDE_BREAKAGES.filter(looksAtProcess)) {
  test(nameOf(breakage), { timeout: TIMEOUT_MS }, () => failsAll(breakage));
}
