export { optionTable } from "./option-table.ts";
export { systemClock } from "./system-clock.ts";
export { wait } from "./wait.ts";

export type { OptionRule, OptionRules, OptionTable } from "./option-table.ts";
