import { RetryLater } from "@bus/core";
import type { HandlerContext } from "@bus/core";
import { systemClock, wait } from "@bus/core/adapter";
import type { LedgerEntry } from "../ledger-finding.ts";

/**
 * How handlers of a test behave before they succeed.
 *
 * - `prompt`: succeed at once.
 * - `slow`: take up to 12 ms, each a different time.
 * - `failing`: every fifth message fails on its first run, one of them with an unexpected error.
 * - `aborted`: never end by themselves; they stop with their signal, and a second consumer takes over.
 */
export type Behaviour = "prompt" | "slow" | "failing" | "aborted";

/** The behaviours under which a guarantee is easily broken. */
export const TROUBLED_BEHAVIOURS: readonly Behaviour[] = ["slow", "failing", "aborted"];

const SLOWEST_MS = 12;
const FAILS_EVERY = 5;
const RETRY_AFTER_MS = 3;

/** Behave; resolves when the handler may go on to succeed. */
export async function behave(
  behaviour: Behaviour,
  entry: LedgerEntry,
  context: HandlerContext,
): Promise<void> {
  switch (behaviour) {
    case "prompt":
      return;
    case "slow":
      await wait(systemClock, slownessOf(entry), context.signal);
      return;
    case "failing":
      if (context.attempt === 1) fail(entry);
      return;
    case "aborted":
      await aborted(context.signal);
      throw context.signal.reason;
    default:
      return behaviour satisfies never;
  }
}

/** Resolves when a signal has aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Holds handlers until a test lets them go. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** Make a closed gate. */
export function createGate(): Gate {
  const opening = new AbortController();
  return { opened: aborted(opening.signal), open: () => opening.abort() };
}

/** Spread evenly, different for neighbours, the same in every run. */
function slownessOf(entry: LedgerEntry): number {
  return ((entry.sequence * 7 + entry.key.length * 3) % SLOWEST_MS) + 1;
}

function fail(entry: LedgerEntry): void {
  if (entry.sequence === FAILS_EVERY && entry.key === "key-0")
    throw new TypeError("unexpected value");
  if (entry.sequence % FAILS_EVERY === 0)
    throw new RetryLater({ afterMs: RETRY_AFTER_MS, reason: "not yet" });
}
