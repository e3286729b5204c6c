export { BACKLOG_DEFAULTS } from "./backlog-options.ts";
export { BACKLOG_METRICS } from "./backlog-metrics.ts";
export { backlog } from "./backlog-plugin.ts";
export { SEVERITIES } from "./publisher-pressure.ts";

export type { Backlog, BacklogApi, PublisherBacklog } from "./backlog-plugin.ts";
export type {
  BacklogCallback,
  BacklogOptions,
  PublisherOptions,
  ResolvedBacklogOptions,
} from "./backlog-options.ts";
export type { BacklogReport } from "./backlog-report.ts";
export type {
  PublisherLimits,
  PublisherLoad,
  PublisherReport,
  Severity,
} from "./publisher-pressure.ts";
export type { LagRates } from "./rates.ts";
export type { GroupVerdict, PartitionBacklog, UnknownPartition } from "./verdict.ts";
