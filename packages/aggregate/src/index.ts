export { AGGREGATE_DEFAULTS } from "./aggregate-options.ts";
export { AGGREGATE_METRICS } from "./aggregate-metrics.ts";
export { aggregate } from "./aggregate-plugin.ts";

export type { AggregateApi, AggregateSubscribeOptions } from "./aggregate-plugin.ts";
export type { AggregateIdExtractor, AggregateIdSource } from "./aggregate-id.ts";
export type {
  AggregateOptions,
  KeyScope,
  ResolvedAggregateOptions,
  SubscriptionOptions,
} from "./aggregate-options.ts";
export type { HotAggregate, LaneNumbers } from "./lane-census.ts";
export type { LaneCounts } from "./lane-set.ts";
export type { RateLimit } from "./rate-limit.ts";
export type { Mode } from "./route.ts";
