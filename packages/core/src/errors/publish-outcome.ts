import type { PublishReceipt } from "../contracts/message.ts";
import { BusError, BusTransportError } from "./bus-error.ts";

/** What became of one message of a publish call. */
export type PublishOutcome =
  | { readonly kind: "stored"; readonly receipt: PublishReceipt }
  | { readonly kind: "failed"; readonly error: BusError };

/**
 * The error of a publish call in which at least one message failed.
 *
 * @returns The only message's own error for a call with one message, otherwise `BUS_PUBLISH_PARTIAL` whose
 * `details.outcomes` has one `PublishOutcome` per message, in order.
 */
export function publishError(outcomes: readonly PublishOutcome[]): BusError {
  const failed = outcomes.filter((outcome) => outcome.kind === "failed");
  const first = failed[0];
  if (outcomes.length === 1 && first !== undefined) return first.error;
  return new BusTransportError(
    "BUS_PUBLISH_PARTIAL",
    `${failed.length} of ${outcomes.length} messages were not stored`,
    {
      details: { outcomes },
      cause: first?.error,
    },
  );
}

/** The outcome of each message, read from an error that `publish` threw; `undefined` when it carries none. */
export function publishOutcomesOf(error: unknown): readonly PublishOutcome[] | undefined {
  if (!BusError.is(error, "BUS_PUBLISH_PARTIAL")) return undefined;
  const outcomes: unknown = error.details["outcomes"];
  // The only place that writes this detail is publishError above.
  return Array.isArray(outcomes) ? (outcomes as readonly PublishOutcome[]) : undefined;
}
