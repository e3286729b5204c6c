import type { OptionSchema, StartFrom } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import type { OptionRule } from "@bus/core/adapter";
import { PARTITIONS_RULE, RETENTION_RULE, resolveBrokerOptions } from "./broker-options.ts";
import { InProcessBroker } from "./in-process-broker.ts";
import type { MemoryBroker } from "./in-process-broker.ts";
import { MEMORY_DEFAULTS } from "./memory-defaults.ts";

/** Options of `memory()`. */
export interface MemoryOptions {
  /** A broker to share with other buses, made by `memoryBroker()`. @defaultValue a broker of its own */
  readonly broker?: MemoryBroker;
  /** Names this client in `broker.describe()` and for faults. @defaultValue `memory-1`, `memory-2`, … */
  readonly clientId?: string;
  /** Partitions of topics that this client creates by using them, ≥ 1 (Kafka `num.partitions`). @defaultValue the broker's, 16 */
  readonly partitions?: number;
  /** Messages that each partition of such topics keeps, ≥ 1. @defaultValue the broker's, all */
  readonly retentionMessages?: number;
  /** Whether a topic comes into being when it is first used (Kafka `auto.create.topics.enable`). @defaultValue "onFirstUse" */
  readonly autoCreateTopics?: "onFirstUse" | "never";
  /** Where a group without a committed offset begins (Kafka `auto.offset.reset`). @defaultValue "earliest" */
  readonly startFrom?: StartFrom;
  /** Most messages received and not settled, per group member, ≥ 1. @defaultValue 2_000 */
  readonly maxInFlightMessages?: number;
  /** Most bytes received and not settled, per group member, ≥ 1. @defaultValue 67_108_864 */
  readonly maxInFlightBytes?: number;
  /** Most settled messages that wait behind an unsettled one, per partition, ≥ 1; then the partition pauses. @defaultValue 20_000 */
  readonly maxUncommittedMessages?: number;
  /** How long settled messages may wait for their commit, ≥ 0. @defaultValue 50 */
  readonly commitIntervalMs?: number;
  /** Largest message (key, value, headers) that can be published, ≥ 1 (Kafka `max.request.size`). @defaultValue 1_048_576 */
  readonly maxMessageBytes?: number;
  /** How long running handlers may keep a rebalance waiting, ≥ 0. @defaultValue 10_000 */
  readonly rebalanceDrainMs?: number;
  /** How long a member may be silent before its group expels it, ≥ 0 (Kafka `session.timeout.ms`). @defaultValue 1_000 */
  readonly sessionTimeoutMs?: number;
  /** How long a publish waits for a connection that was cut, ≥ 0 (Kafka `delivery.timeout.ms`). @defaultValue 30_000 */
  readonly publishTimeoutMs?: number;
}

/** Options of `memory()` with every default applied. */
export type ResolvedMemoryOptions = Required<
  Omit<MemoryOptions, "retentionMessages" | "broker">
> & {
  readonly broker: InProcessBroker;
  readonly retentionMessages?: number;
};

const positive = (description: string, fallback?: number): OptionRule => ({
  type: "integer",
  min: 1,
  default: fallback,
  description,
});
const duration = (description: string, fallback: number): OptionRule => ({
  type: "number",
  min: 0,
  default: fallback,
  description,
});

type TableOptions = Omit<ResolvedMemoryOptions, "broker" | "clientId" | "partitions"> &
  Pick<MemoryOptions, "broker" | "clientId" | "partitions">;

const CLIENT_TABLE = optionTable<MemoryOptions, TableOptions>({
  broker: {
    type: "object",
    description: "a broker to share, made by memoryBroker() (only in code)",
  },
  clientId: {
    type: "string",
    description: "names this client in broker.describe() and for faults",
  },
  partitions: PARTITIONS_RULE,
  retentionMessages: RETENTION_RULE,
  autoCreateTopics: {
    type: "choice",
    choices: ["onFirstUse", "never"],
    default: MEMORY_DEFAULTS.autoCreateTopics,
    description: "whether a topic comes into being when it is first used",
  },
  startFrom: {
    type: "choice",
    choices: ["earliest", "latest", "none"],
    default: MEMORY_DEFAULTS.startFrom,
    description: "where a group without a committed offset begins",
  },
  maxInFlightMessages: positive(
    "messages received and not settled, per group member",
    MEMORY_DEFAULTS.maxInFlightMessages,
  ),
  maxInFlightBytes: positive(
    "bytes received and not settled, per group member",
    MEMORY_DEFAULTS.maxInFlightBytes,
  ),
  maxUncommittedMessages: positive(
    "settled messages behind an unsettled one, per partition",
    MEMORY_DEFAULTS.maxUncommittedMessages,
  ),
  commitIntervalMs: duration(
    "how long settled messages may wait for their commit",
    MEMORY_DEFAULTS.commitIntervalMs,
  ),
  maxMessageBytes: positive(
    "largest message that can be published",
    MEMORY_DEFAULTS.maxMessageBytes,
  ),
  rebalanceDrainMs: duration(
    "how long running handlers may keep a rebalance waiting",
    MEMORY_DEFAULTS.rebalanceDrainMs,
  ),
  sessionTimeoutMs: duration(
    "how long a member may be silent before it is expelled",
    MEMORY_DEFAULTS.sessionTimeoutMs,
  ),
  publishTimeoutMs: duration(
    "how long a publish waits for a connection that was cut",
    MEMORY_DEFAULTS.publishTimeoutMs,
  ),
});

/** Checks options of `memory()` and gives each call without a broker one of its own. */
export const MEMORY_OPTIONS: OptionSchema<MemoryOptions, ResolvedMemoryOptions> = {
  "~standard": {
    ...CLIENT_TABLE["~standard"],
    types: undefined,
    validate: (input) => {
      const result = CLIENT_TABLE["~standard"].validate(input);
      if (result instanceof Promise) throw new TypeError("option tables are synchronous");
      if (result.issues !== undefined) return result;
      const { broker = new InProcessBroker(resolveBrokerOptions({})), ...options } = result.value;
      if (!(broker instanceof InProcessBroker))
        return { issues: [{ message: "must be made by memoryBroker()", path: ["broker"] }] };
      const clientId = options.clientId ?? broker.nextClientId();
      return {
        value: Object.freeze({
          ...options,
          broker,
          clientId,
          partitions: options.partitions ?? broker.options.partitions,
        }),
      };
    },
  },
};
