import { BusConfigError } from "@bus/core";
import type { Clock } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import type { OptionRule } from "@bus/core/adapter";
import { MEMORY_DEFAULTS } from "./memory-defaults.ts";

/** Options of `memoryBroker()`. */
export interface MemoryBrokerOptions {
  /** @defaultValue the clock of the first bus that uses the broker */
  readonly clock?: Clock;
  /** Decides the order in which partitions are served; an integer. @defaultValue 1 */
  readonly seed?: number;
  /** Partitions of topics that are created without a number, ≥ 1 (Kafka `num.partitions`). @defaultValue 16 */
  readonly partitions?: number;
  /** Messages that a partition keeps, ≥ 1; older ones are removed. @defaultValue all */
  readonly retentionMessages?: number;
}

/** Options of `memoryBroker()` with every default applied. */
export type ResolvedBrokerOptions = Required<Pick<MemoryBrokerOptions, "seed" | "partitions">> &
  Pick<MemoryBrokerOptions, "clock" | "retentionMessages">;

/** How many partitions a topic gets that is created without a number; absent means the broker's default. */
export const PARTITIONS_RULE: OptionRule = {
  type: "integer",
  min: 1,
  description: "partitions of topics that are created without a number",
};

/** How many messages a partition keeps; absent means all. */
export const RETENTION_RULE: OptionRule = {
  type: "integer",
  min: 1,
  description: "messages that a partition keeps",
};

const TABLE = optionTable<MemoryBrokerOptions, ResolvedBrokerOptions>({
  clock: { type: "object", description: "source of time" },
  seed: {
    type: "integer",
    default: MEMORY_DEFAULTS.seed,
    description: "decides the order in which partitions are served",
  },
  partitions: { ...PARTITIONS_RULE, default: MEMORY_DEFAULTS.partitions },
  retentionMessages: RETENTION_RULE,
});

/**
 * Check options of a broker and apply the defaults.
 *
 * @throws BusConfigError `BUS_CONFIG` with the path and the value of the first that is wrong.
 */
export function resolveBrokerOptions(options: MemoryBrokerOptions): ResolvedBrokerOptions {
  const result = TABLE["~standard"].validate(options);
  if (result instanceof Promise) throw new TypeError("option tables are synchronous");
  if (result.issues === undefined) return result.value;
  const issue = result.issues[0];
  const name = issue?.path?.map(String).join(".") ?? "";
  const path = name === "" ? "memoryBroker" : `memoryBroker.${name}`;
  throw new BusConfigError("BUS_CONFIG", `${path}: ${issue?.message ?? "not valid"}`, {
    details: { path, issues: result.issues },
  });
}
