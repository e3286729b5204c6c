import { z } from "zod";
import type { DeadLetterFilter } from "./dead-letter-filter.ts";
import type { RunCounts } from "./dead-letter-run.ts";
import type { DeadLetterState } from "./dead-letter-record.ts";

/** Which dead letters to list. */
export interface ListRequest extends DeadLetterFilter {
  /** @defaultValue "open" */
  readonly state?: DeadLetterState | "all";
  /** Most dead letters returned, ≥ 1. @defaultValue 100 */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** Which dead letter to look at. */
export interface InspectRequest extends Pick<DeadLetterFilter, "topic" | "deadLetterTopic"> {
  readonly id: string;
  readonly signal?: AbortSignal;
}

/** What replay and discard have in common. */
export interface RunRequest extends DeadLetterFilter {
  /** Count what would be done, do nothing. @defaultValue false */
  readonly dryRun?: boolean;
  /** Most dead letters dealt with, ≥ 1. @defaultValue all */
  readonly limit?: number;
  /** Called, guarded, after every few hundred dead letters. */
  readonly onProgress?: (counts: Readonly<RunCounts>) => void;
  /** Ends the run after what it is publishing now. */
  readonly signal?: AbortSignal;
}

/** Which dead letters to publish again, and how fast. */
export interface ReplayRequest extends RunRequest {
  /** Most messages a second, > 0. @defaultValue no bound */
  readonly ratePerSecond?: number;
  /** Partitions worked on at the same time, ≥ 1. @defaultValue 4 */
  readonly concurrency?: number;
}

/** Which dead letters to give up, and what the audit says. */
export interface DiscardRequest extends RunRequest {
  /** Why; kept for ever. */
  readonly reason: string;
  /** Who; kept for ever. @defaultValue "unknown" */
  readonly by?: string;
}

/** Every default of requests. */
export const REQUEST_DEFAULTS: {
  readonly state: DeadLetterState;
  readonly listLimit: number;
  readonly concurrency: number;
  readonly by: string;
} = Object.freeze({ state: "open", listLimit: 100, concurrency: 4, by: "unknown" });

const filterShape = {
  topic: z.string().min(1).optional(),
  deadLetterTopic: z.string().min(1).optional(),
  group: z.string().optional(),
  errorClass: z.string().optional(),
  errorName: z.string().optional(),
  fingerprint: z.string().optional(),
  ids: z.array(z.string()).readonly().optional(),
  failedFromMs: z.number().optional(),
  failedBeforeMs: z.number().optional(),
  signal: z.instanceof(AbortSignal).optional(),
};

const runShape = {
  ...filterShape,
  dryRun: z.boolean().default(false),
  limit: z.int().min(1).optional(),
  onProgress: z
    .custom<NonNullable<RunRequest["onProgress"]>>((value) => typeof value === "function", {
      message: "must be a function ((counts) => void)",
    })
    .optional(),
};

/** A request with its defaults; absent members may be there as `undefined`. */
type Loose<TRequest> = { readonly [Name in keyof TRequest]: TRequest[Name] | undefined };

/** What `list` was asked for. */
export type ResolvedList = Loose<ListRequest> & Required<Pick<ListRequest, "state" | "limit">>;
/** What `replay` was asked for. */
export type ResolvedReplay = Loose<ReplayRequest> &
  Required<Pick<ReplayRequest, "dryRun" | "concurrency">>;
/** What `discard` was asked for. */
export type ResolvedDiscard = Loose<DiscardRequest> &
  Required<Pick<DiscardRequest, "dryRun" | "reason" | "by">>;

/** What `inspect` was asked for. */
export type ResolvedInspect = Loose<InspectRequest> & Required<Pick<InspectRequest, "id">>;

/** The schema of `inspect` requests. */
export const inspectRequest: z.ZodType<ResolvedInspect, InspectRequest> = z.strictObject({
  topic: filterShape.topic,
  deadLetterTopic: filterShape.deadLetterTopic,
  signal: filterShape.signal,
  id: z.string().min(1),
}) as z.ZodType<ResolvedInspect, InspectRequest>; // as below

/** The schema of `list` requests. */
export const listRequest: z.ZodType<ResolvedList, ListRequest> = z.strictObject({
  ...filterShape,
  state: z.enum(["open", "replayed", "discarded", "all"]).default(REQUEST_DEFAULTS.state),
  limit: z.int().min(1).default(REQUEST_DEFAULTS.listLimit),
}) as z.ZodType<ResolvedList, ListRequest>; // zod's input allows `undefined`, the types do not

/** The schema of `replay` requests. */
export const replayRequest: z.ZodType<ResolvedReplay, ReplayRequest> = z.strictObject({
  ...runShape,
  ratePerSecond: z.number().positive().optional(),
  concurrency: z.int().min(1).default(REQUEST_DEFAULTS.concurrency),
}) as z.ZodType<ResolvedReplay, ReplayRequest>; // as above

/** The schema of `discard` requests. */
export const discardRequest: z.ZodType<ResolvedDiscard, DiscardRequest> = z.strictObject({
  ...runShape,
  reason: z.string().min(1),
  by: z.string().min(1).default(REQUEST_DEFAULTS.by),
}) as z.ZodType<ResolvedDiscard, DiscardRequest>; // as above
