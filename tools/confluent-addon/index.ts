export { AddonError } from "./addon-error.ts";
export type { AddonErrorCode } from "./addon-error.ts";
export { ensureConfluentAddon } from "./ensure-confluent-addon.ts";
export type { EnsureAddonOptions, PreparedAddon } from "./ensure-confluent-addon.ts";
