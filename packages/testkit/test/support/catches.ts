import { expect, test } from "vitest";
import type { KnownBreakage } from "./breakages.ts";
import { broken } from "./broken-transport.ts";
import { memorySubject } from "./memory-subject.ts";
import { runKit } from "./run-kit.ts";

const TIMEOUT_MS = 60_000;

/** Each breakage must make its own guarantee fail, and no other: then a red guarantee means what it says. */
export function describeCatches(breakages: readonly KnownBreakage[]): void {
  for (const breakage of breakages) {
    const name = `a transport that ${breakage.what} fails "${breakage.guarantee}" and nothing else`;
    test(name, { timeout: TIMEOUT_MS }, async () => {
      const results = await runKit(broken(memorySubject(), breakage.broken));
      const failed = results.filter((result) => result.outcome === "failed");
      const reasons = failed.map(({ guarantee, test: failing, reason }) => `${guarantee}: ${failing}: ${reason}`);
      expect([...new Set(failed.map(({ guarantee }) => guarantee))], reasons.join("\n")).toEqual([breakage.guarantee]);
    });
  }
}
