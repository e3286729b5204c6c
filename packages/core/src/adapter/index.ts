export { backOffMs } from "./back-off.ts";
export { InFlightGate } from "./in-flight-gate.ts";
export { fnv1a, fnv1aPartitionOf, murmur2, partitionOf } from "./key-hash.ts";
export { messageSizeBytes } from "./message-size.ts";
export { OffsetTracker } from "./offset-tracker.ts";
export { optionTable } from "../options/option-table.ts";
export { systemClock } from "./system-clock.ts";
export { validateOptions } from "../options/validate-options.ts";
export { ReturningRun } from "./returning-run.ts";
export { wait } from "./wait.ts";

export type { BackOffPolicy } from "./back-off.ts";
export type { GateShare, InFlightBounds } from "./in-flight-gate.ts";
export type { OptionRule, OptionRules, OptionTable } from "../options/option-table.ts";
export type { OptionSchema } from "../options/validate-options.ts";
