import { expect, test } from "vitest";
import { broken } from "./support/broken-transport.ts";
import { memorySubject } from "./support/memory-subject.ts";
import { runKit } from "./support/run-kit.ts";
import { WIDE_BREAKAGES } from "./support/wide-breakages.ts";

/** Its tests count what the whole process holds. */
const LOOKS_AT_PROCESS = "nothing left after close";

const IMPATIENT = { stepMs: 1_500, closeLateMs: 700 };

for (const { what, guarantees, broken: promise } of WIDE_BREAKAGES) {
  const register = guarantees.includes(LOOKS_AT_PROCESS) ? test : test.concurrent;
  register(
    `a transport that ${what} fails every guarantee that rests on it`,
    { timeout: 120_000 },
    async () => {
      const results = await runKit(broken(memorySubject(IMPATIENT), promise), { guarantees });
      const failing = results
        .filter(({ outcome }) => outcome === "failed")
        .map(({ guarantee }) => guarantee);
      expect([...new Set(failing)].toSorted()).toEqual(guarantees.toSorted());
    },
  );
}
