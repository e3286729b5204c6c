import { z } from "zod";
import type { BacklogReport } from "./backlog-report.ts";
import type { PublisherLimits, PublisherReport } from "./publisher-pressure.ts";

/** What the publish path may hold before it counts as a backlog; half of a limit is severity `low`, twice it `critical`. */
export interface PublisherOptions {
  /** Messages handed over and not yet acknowledged, ≥ 1. @defaultValue 10_000 */
  readonly maxBufferedMessages?: number | undefined;
  /** Their bytes, ≥ 1. @defaultValue 67_108_864 */
  readonly maxBufferedBytes?: number | undefined;
  /** Age of the publish call that waits longest, ≥ 1. @defaultValue 5_000 */
  readonly maxOldestMs?: number | undefined;
  /** Mean time to the acknowledgement, ≥ 1. @defaultValue 1_000 */
  readonly maxLatencyMs?: number | undefined;
  /** Messages per second, > 0. @defaultValue none */
  readonly maxMessagesPerSecond?: number | undefined;
}

/** Called with what a check found; what it throws or rejects is logged, and no check waits for it. */
export type BacklogCallback = (report: BacklogReport) => unknown;

/** Options of `backlog()`. */
export interface BacklogOptions {
  /** Messages behind in one partition, beyond which there is a backlog, ≥ 0. @defaultValue 1_000 */
  readonly maxLagMessages?: number | undefined;
  /** Messages behind in all partitions of a group, ≥ 0. @defaultValue none */
  readonly maxTotalLagMessages?: number | undefined;
  /** Age of the oldest message behind, ≥ 1. @defaultValue 30_000 */
  readonly maxLagMs?: number | undefined;
  /** Time between two checks, ≥ 1. @defaultValue 10_000 */
  readonly checkIntervalMs?: number | undefined;
  /** A check that takes longer is `unknown`, ≥ 1. @defaultValue 5_000 */
  readonly checkTimeoutMs?: number | undefined;
  /** Share of the interval that chance may add, 0 to 1, so that the processes of a group do not ask at once. @defaultValue 0.1 */
  readonly checkJitter?: number | undefined;
  /** Called when a backlog begins. */
  readonly onBacklog?: BacklogCallback | undefined;
  /** Called when a backlog has ended. */
  readonly onClear?: BacklogCallback | undefined;
  /** Called after every check. */
  readonly onCheck?: BacklogCallback | undefined;
  readonly publisher?: PublisherOptions | undefined;
  /** Called after a check when the severity of the publish path has changed. */
  readonly onPublisherPressure?: ((report: PublisherReport) => unknown) | undefined;
}

/** Options of `backlog()`, defaults applied. */
export interface ResolvedBacklogOptions {
  readonly maxLagMessages: number;
  readonly maxTotalLagMessages?: number | undefined;
  readonly maxLagMs: number;
  readonly checkIntervalMs: number;
  readonly checkTimeoutMs: number;
  readonly checkJitter: number;
  readonly onBacklog?: BacklogCallback | undefined;
  readonly onClear?: BacklogCallback | undefined;
  readonly onCheck?: BacklogCallback | undefined;
  readonly publisher: PublisherLimits;
  readonly onPublisherPressure?: ((report: PublisherReport) => unknown) | undefined;
}

/** Every default of this package. */
export const BACKLOG_DEFAULTS: ResolvedBacklogOptions = Object.freeze({
  maxLagMessages: 1_000,
  maxLagMs: 30_000,
  checkIntervalMs: 10_000,
  checkTimeoutMs: 5_000,
  checkJitter: 0.1,
  publisher: Object.freeze({
    maxBufferedMessages: 10_000,
    maxBufferedBytes: 67_108_864,
    maxOldestMs: 5_000,
    maxLatencyMs: 1_000,
  }),
});

const callback = z.custom<BacklogCallback>((value) => typeof value === "function", {
  message: "must be a function ((report) => void)",
});
const publisherCallback = z.custom<(report: PublisherReport) => unknown>(
  (value) => typeof value === "function",
  {
    message: "must be a function ((report) => void)",
  },
);

const positive = (defaultValue: number, description: string) =>
  z.number().min(1).default(defaultValue).describe(description);

const publisherSchema = z.strictObject({
  maxBufferedMessages: positive(
    BACKLOG_DEFAULTS.publisher.maxBufferedMessages,
    "messages handed over and not yet acknowledged",
  ),
  maxBufferedBytes: positive(BACKLOG_DEFAULTS.publisher.maxBufferedBytes, "their bytes"),
  maxOldestMs: positive(
    BACKLOG_DEFAULTS.publisher.maxOldestMs,
    "age of the publish call that waits longest, in milliseconds",
  ),
  maxLatencyMs: positive(
    BACKLOG_DEFAULTS.publisher.maxLatencyMs,
    "mean time to the acknowledgement, in milliseconds",
  ),
  maxMessagesPerSecond: z.number().positive().optional().describe("messages per second"),
});

/** The schema of the options. */
export const backlogOptions: z.ZodType<ResolvedBacklogOptions, BacklogOptions> = z.strictObject({
  maxLagMessages: z
    .int()
    .min(0)
    .default(BACKLOG_DEFAULTS.maxLagMessages)
    .describe("messages behind in one partition"),
  maxTotalLagMessages: z
    .int()
    .min(0)
    .optional()
    .describe("messages behind in all partitions of a group"),
  maxLagMs: positive(
    BACKLOG_DEFAULTS.maxLagMs,
    "age of the oldest message behind, in milliseconds",
  ),
  checkIntervalMs: positive(
    BACKLOG_DEFAULTS.checkIntervalMs,
    "time between two checks, in milliseconds",
  ),
  checkTimeoutMs: positive(
    BACKLOG_DEFAULTS.checkTimeoutMs,
    "a check that takes longer is unknown, in milliseconds",
  ),
  checkJitter: z
    .number()
    .min(0)
    .max(1)
    .default(BACKLOG_DEFAULTS.checkJitter)
    .describe("share of the interval that chance may add"),
  onBacklog: callback.optional().describe("called when a backlog begins (only in code)"),
  onClear: callback.optional().describe("called when a backlog has ended (only in code)"),
  onCheck: callback.optional().describe("called after every check (only in code)"),
  publisher: publisherSchema.prefault({}).describe("what the publish path may hold"),
  onPublisherPressure: publisherCallback
    .optional()
    .describe("called when the severity of the publish path has changed (only in code)"),
});
