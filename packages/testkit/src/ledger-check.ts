import { AssertionError } from "node:assert";
import type { Finding } from "./ledger-finding.ts";
import type { LedgerVerdict } from "./ledger.ts";

/** What a test allows beside perfection. */
export interface LedgerBounds {
  /** Most runs of already handled messages. @defaultValue 0 */
  readonly maxDuplicates?: number;
  /** Whether runs of one key may begin out of order, for orderings that promise none. @defaultValue "kept" */
  readonly order?: "kept" | "free";
}

/**
 * Hold a verdict against what a test allows.
 *
 * @throws AssertionError with every offence, its count and the first entries.
 */
export function checkLedger(verdict: LedgerVerdict, bounds: LedgerBounds = {}): void {
  const maxDuplicates = bounds.maxDuplicates ?? 0;
  const ordered = bounds.order !== "free";
  const offences = [
    describe("lost", verdict.lost, 0),
    describe("duplicated", verdict.duplicated, maxDuplicates),
    ordered ? describe("out of order", verdict.disordered, 0) : undefined,
    ordered ? describe("overlapping", verdict.overlapped, 0) : undefined,
    verdict.drained === undefined ? undefined : describe("not drained", verdict.drained, 0),
  ].filter((offence) => offence !== undefined);
  if (offences.length === 0) return;
  const message = `of ${verdict.published} published messages: ${offences.join("; ")}`;
  throw new AssertionError({ message, actual: verdict, operator: "checkLedger" });
}

function describe(what: string, finding: Finding, allowed: number): string | undefined {
  if (finding.count <= allowed) return undefined;
  const first = finding.first.map(
    (entry) => `${entry.topic} key ${entry.key} #${entry.sequence} (${entry.detail})`,
  );
  const bound = allowed === 0 ? "" : ` (allowed ${allowed})`;
  return `${finding.count} ${what}${bound}: ${first.join(", ")}`;
}
