import { optionTable } from "../options/option-table.ts";
import type { OptionTable } from "../options/option-table.ts";
import type { BatchLimits } from "../consume/batch-scheduler.ts";
import type { Ordering } from "../contracts/scheduler.ts";
import type { StartFrom } from "../contracts/transport.ts";
import { BUS_DEFAULTS } from "./bus-options.ts";

/** Subscribe options with every default applied. */
export interface ResolvedSubscribeOptions {
  readonly group?: string;
  readonly ordering: Ordering;
  readonly concurrency: number;
  readonly startFrom?: StartFrom;
  readonly maxProcessingTimeMs: number;
  readonly plugins: Readonly<Record<string, unknown>>;
}

/** Batch options with every default applied. */
export interface ResolvedBatchOptions extends BatchLimits {
  readonly group?: string;
  readonly startFrom?: StartFrom;
  readonly maxProcessingTimeMs: number;
  readonly plugins: Readonly<Record<string, unknown>>;
}

const shared = {
  group: { type: "string", description: "consumer group" },
  startFrom: {
    type: "choice",
    choices: ["earliest", "latest", "none"],
    description: "where to begin without a committed offset",
  },
  maxProcessingTimeMs: {
    type: "integer",
    min: 1,
    default: BUS_DEFAULTS.maxProcessingTimeMs,
    description: "deadline of one handler run, in milliseconds",
  },
  plugins: {
    type: "object",
    default: {},
    description: "options of plugins for this subscription, by plugin name",
  },
} as const;

/** The schema of `subscribe`'s options. */
export const subscribeOptions: OptionTable<object, ResolvedSubscribeOptions> = optionTable<
  object,
  ResolvedSubscribeOptions
>({
  ...shared,
  ordering: {
    type: "choice",
    choices: ["partition", "key", "none"],
    default: "partition",
    description: "in which order handlers run",
  },
  concurrency: {
    type: "integer",
    min: 1,
    default: BUS_DEFAULTS.concurrency,
    description: "most handlers at once with ordering none",
  },
});

/** The schema of `subscribeBatch`'s options. */
export const subscribeBatchOptions: OptionTable<object, ResolvedBatchOptions> = optionTable<
  object,
  ResolvedBatchOptions
>({
  ...shared,
  maxMessages: {
    type: "integer",
    min: 1,
    default: BUS_DEFAULTS.batchMaxMessages,
    description: "most messages in a batch",
  },
  maxWaitMs: {
    type: "integer",
    min: 0,
    default: BUS_DEFAULTS.batchMaxWaitMs,
    description: "longest wait for a batch to fill, in milliseconds",
  },
});
