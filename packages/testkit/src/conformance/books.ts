import { checkLedger } from "../ledger-check.ts";
import type { LedgerBounds } from "../ledger-check.ts";
import type { DrainedQuery } from "../ledger-drained.ts";
import type { Ledger } from "../ledger.ts";
import type { Lab } from "./lab.ts";

/** What to wait for and what to allow when the books are closed. */
export interface BooksOptions extends LedgerBounds {
  readonly group: string;
  readonly topics: readonly string[];
  /** @defaultValue one step */
  readonly timeoutMs?: number;
}

/**
 * Wait until everything published has been handled and, where lag can be read, committed; then check the four-fold
 * ledger. Duplicates that come late are seen, because nothing is redelivered after the end has been committed. Order is
 * asked of transports that promise one.
 */
export async function closeBooks(lab: Lab, ledger: Ledger, options: BooksOptions): Promise<void> {
  const timeoutMs = options.timeoutMs ?? lab.timings.stepMs;
  await lab.until(() => ledger.outstanding === 0, "every published message to be handled", {
    timeoutMs,
    state: () => `${ledger.outstanding} outstanding, ${ledger.duplicates} duplicates`,
  });
  const drained = await drainedQuery(lab, options);
  const { capabilities } = (await lab.publisher()).transport;
  const order = options.order ?? (capabilities.ordering === "none" ? "free" : "kept");
  checkLedger(await ledger.verdict(drained), { ...options, order });
}

async function drainedQuery(
  lab: Lab,
  { group, topics }: BooksOptions,
): Promise<DrainedQuery | undefined> {
  const reader = (await lab.publisher()).transport.capabilities.lag;
  if (reader === undefined) {
    await lab.quiet();
    return undefined;
  }
  const behind = async (): Promise<bigint> => {
    const lag = await reader.read({ group, topics });
    if (lag.unknown.length > 0) return -1n;
    return lag.partitions.reduce((sum, { lagMessages }) => sum + lagMessages, 0n);
  };
  let last = 0n;
  await lab.until(async () => (last = await behind()) === 0n, "everything to be committed", {
    timeoutMs: lab.timings.stepMs + lab.timings.commitMs,
    state: () => `${last} messages behind`,
  });
  return { reader, group };
}
