import type { InstrumentSpec } from "@bus/core";

/** The metrics that this package adds to those of core (`bus_dead_letter_messages_total`, `bus_dead_letter_failures_total`). */
export const DLQ_METRICS: { readonly dealtWith: InstrumentSpec } = Object.freeze({
  dealtWith: {
    name: "bus_dead_letter_dealt_with_total",
    help: "Dead letters dealt with, by outcome (replayed, discarded, failed).",
    kind: "counter",
    labels: ["topic", "outcome"],
  },
});
