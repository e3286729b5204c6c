import { validateOptions } from "@bus/core/adapter";
import { z } from "zod";
import type { AggregateIdExtractor, AggregateIdSource } from "./aggregate-id.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { Mode } from "./route.ts";

/** Which messages share a lane: those with one id within a topic, or within a group, across its topics. */
export type KeyScope = "topic" | "aggregate";

/** Options of one subscription: `subscribe(…, { ordering: "key", plugins: { aggregate: { … } } })`. */
export interface SubscriptionOptions {
  /**
   * The aggregate of a message, from what is known before it is decoded; what it throws fails the message.
   * @defaultValue the rule of `aggregateIdSources`
   */
  readonly aggregateIdExtractor?: AggregateIdExtractor | undefined;
  /**
   * Whether one handler of an aggregate runs at a time in normal mode, too. `false`: direct runs of one aggregate may
   * overlap and overtake each other while the mode is normal. @defaultValue the plugin's, true
   */
  readonly orderedProcessing?: boolean | undefined;
  /** Most messages of this subscription; beside the bus's own limit. Works with every ordering. @defaultValue none */
  readonly rateLimit?: RateLimit | undefined;
}

/** Options of `aggregate()`. */
export interface AggregateOptions {
  /** Handlers at once, over all lanes and direct runs of the bus, ≥ 1. @defaultValue 64 */
  readonly concurrency?: number | undefined;
  /** Lanes at most, ≥ `concurrency`; the idle one used least recently makes room, without one new aggregates wait. @defaultValue 1_000 */
  readonly maxLanes?: number | undefined;
  /** Messages queued per lane, ≥ 1; when full, the partition pauses until half of them are left. @defaultValue 100 */
  readonly mailboxSize?: number | undefined;
  /** A lane without a message for so long is released, ≥ 1. @defaultValue 300_000 */
  readonly idleTimeoutMs?: number | undefined;
  /** @defaultValue "topic" */
  readonly keyScope?: KeyScope | undefined;
  /** As in `SubscriptionOptions`, for every subscription. @defaultValue none */
  readonly aggregateIdExtractor?: AggregateIdExtractor | undefined;
  /** Where an id is looked up without an extractor, in this order; `["key"]` never decodes headers. @defaultValue `["header", "key"]` */
  readonly aggregateIdSources?: readonly AggregateIdSource[] | undefined;
  /** Name of the header with the id. @defaultValue "aggregate-id" */
  readonly aggregateIdHeader?: string | undefined;
  /** As in `SubscriptionOptions`, for every subscription. @defaultValue true */
  readonly orderedProcessing?: boolean | undefined;
  /** Most messages of the bus, whatever their ordering. @defaultValue none */
  readonly rateLimit?: RateLimit | undefined;
  /** Most messages of each aggregate; every aggregate has a lane in both modes then. @defaultValue none */
  readonly aggregateRateLimit?: RateLimit | undefined;
  /** The mode in which the bus starts; `recovery` assumes a backlog. @defaultValue "recovery" */
  readonly startMode?: Mode | undefined;
  /** Checks without a backlog in a row that end the recovery mode, ≥ 1. @defaultValue 3 */
  readonly clearChecks?: number | undefined;
  /** Such a check counts only while at most this share of the lanes is active, 0 to 1. @defaultValue 0.1 */
  readonly activeLaneRatio?: number | undefined;
  /** The recovery mode lasts at least so long, ≥ 0; it is entered at any time. @defaultValue 30_000 */
  readonly minDwellMs?: number | undefined;
}

/** Options of `aggregate()`, defaults applied. */
export interface ResolvedAggregateOptions {
  readonly concurrency: number;
  readonly maxLanes: number;
  readonly mailboxSize: number;
  readonly idleTimeoutMs: number;
  readonly keyScope: KeyScope;
  readonly aggregateIdExtractor?: AggregateIdExtractor | undefined;
  readonly aggregateIdSources: readonly AggregateIdSource[];
  readonly aggregateIdHeader: string;
  readonly orderedProcessing: boolean;
  readonly rateLimit?: RateLimit | undefined;
  readonly aggregateRateLimit?: RateLimit | undefined;
  readonly startMode: Mode;
  readonly clearChecks: number;
  readonly activeLaneRatio: number;
  readonly minDwellMs: number;
}

/** Every default of this package. */
export const AGGREGATE_DEFAULTS: ResolvedAggregateOptions = Object.freeze({
  concurrency: 64,
  maxLanes: 1_000,
  mailboxSize: 100,
  idleTimeoutMs: 300_000,
  keyScope: "topic",
  aggregateIdSources: Object.freeze<AggregateIdSource[]>(["header", "key"]),
  aggregateIdHeader: "aggregate-id",
  orderedProcessing: true,
  startMode: "recovery",
  clearChecks: 3,
  activeLaneRatio: 0.1,
  minDwellMs: 30_000,
});

const extractor = z.custom<AggregateIdExtractor>((value) => typeof value === "function", {
  message: "must be a function ((message) => id)",
});

const rateLimit = z.strictObject({
  perSecond: z.number().positive().describe("messages per second on average"),
  burst: z.number().min(1).describe("messages that may pass at once after a pause"),
});

const subscriptionOptions: z.ZodType<SubscriptionOptions, SubscriptionOptions> = z.strictObject({
  aggregateIdExtractor: extractor.optional(),
  orderedProcessing: z.boolean().optional(),
  rateLimit: rateLimit.optional(),
});

const count = (defaultValue: number, description: string) =>
  z.int().min(1).default(defaultValue).describe(description);

/** The schema of the options. */
export const aggregateOptions: z.ZodType<ResolvedAggregateOptions, AggregateOptions> = z
  .strictObject({
    concurrency: count(
      AGGREGATE_DEFAULTS.concurrency,
      "handlers at once, over all lanes and direct runs",
    ),
    maxLanes: count(AGGREGATE_DEFAULTS.maxLanes, "lanes at most; only idle ones make room"),
    mailboxSize: count(
      AGGREGATE_DEFAULTS.mailboxSize,
      "messages queued per lane before its partition pauses",
    ),
    idleTimeoutMs: count(
      AGGREGATE_DEFAULTS.idleTimeoutMs,
      "a lane without a message for so long is released, in milliseconds",
    ),
    keyScope: z
      .enum(["topic", "aggregate"])
      .default(AGGREGATE_DEFAULTS.keyScope)
      .describe("which messages share a lane"),
    aggregateIdExtractor: extractor
      .optional()
      .describe("the aggregate of a message (only in code)"),
    aggregateIdSources: z
      .array(z.enum(["header", "key"]))
      .min(1)
      .refine((sources) => new Set(sources).size === sources.length, "must not name a source twice")
      .readonly()
      .default(AGGREGATE_DEFAULTS.aggregateIdSources)
      .describe("where an id is looked up without an extractor, in this order"),
    aggregateIdHeader: z
      .string()
      .min(1)
      .default(AGGREGATE_DEFAULTS.aggregateIdHeader)
      .describe("name of the header with the id"),
    orderedProcessing: z
      .boolean()
      .default(AGGREGATE_DEFAULTS.orderedProcessing)
      .describe("order of an aggregate in normal mode, too"),
    rateLimit: rateLimit.optional().describe("most messages of the bus"),
    aggregateRateLimit: rateLimit.optional().describe("most messages of each aggregate"),
    startMode: z
      .enum(["recovery", "normal"])
      .default(AGGREGATE_DEFAULTS.startMode)
      .describe("the mode in which the bus starts"),
    clearChecks: count(
      AGGREGATE_DEFAULTS.clearChecks,
      "checks without a backlog in a row that end the recovery mode",
    ),
    activeLaneRatio: z
      .number()
      .min(0)
      .max(1)
      .default(AGGREGATE_DEFAULTS.activeLaneRatio)
      .describe("share of active lanes above which a check does not count"),
    minDwellMs: z
      .number()
      .min(0)
      .default(AGGREGATE_DEFAULTS.minDwellMs)
      .describe("shortest time in recovery mode, in milliseconds"),
  })
  .superRefine(({ maxLanes, concurrency }, context) => {
    if (maxLanes >= concurrency) return;
    // A running handler holds a lane, so that fewer of them would silently be the bound. Told of what was set.
    const [name, message] =
      concurrency === AGGREGATE_DEFAULTS.concurrency
        ? ["maxLanes", `must be at least concurrency ${concurrency}`]
        : ["concurrency", `must be at most maxLanes ${maxLanes}`];
    context.addIssue({ code: "custom", path: [name], message });
  });

/** Where the options of one subscription stand, for messages. */
export const SUBSCRIPTION_PATH = "subscribe.plugins.aggregate";

/**
 * Check the options of one subscription.
 *
 * @throws BusConfigError `BUS_CONFIG` with the path and the value.
 */
export function resolveSubscriptionOptions(input: unknown): SubscriptionOptions {
  return validateOptions(subscriptionOptions, input, SUBSCRIPTION_PATH);
}
