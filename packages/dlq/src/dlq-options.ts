import { z } from "zod";
import type { Failure } from "@bus/core";
import type { ClassifierRule, ErrorClass } from "./classify-error.ts";

/** How often and how fast a failed message is run again. */
export interface RetryOptions {
  /** Runs in all, the first one included, ≥ 1. @defaultValue 5 */
  readonly attempts?: number;
  /** Wait after the first failure, in milliseconds; doubles with each further one. @defaultValue 1_000 */
  readonly baseMs?: number;
  /** Longest wait before jitter, in milliseconds. @defaultValue 300_000 */
  readonly maxMs?: number;
  /** Share of the wait that chance may add, 0 to 1; a retry is never earlier than without it. @defaultValue 0.2 */
  readonly jitter?: number;
}

/** Options of `dlq()`. */
export interface DlqOptions {
  readonly retry?: RetryOptions;
  /** Rules that come before the built-in ones; the first that matches decides. */
  readonly rules?: readonly ClassifierRule[];
  /** Class of errors that nothing else decides. @defaultValue "RETRYABLE" */
  readonly defaultClass?: ErrorClass;
  /** What to do when a handler meets what it wanted to write. @defaultValue "retry" */
  readonly onConflict?: "ack" | "retry" | "deadLetter";
  /**
   * What to do with a message that failed for good. `block` runs it again for ever and holds its key or partition;
   * `skip` acknowledges it unhandled: it is lost to this group, counted and logged. @defaultValue "deadLetter"
   */
  readonly onExhausted?: "deadLetter" | "block" | "skip";
  /** Topic of the dead letters of a message, or what is appended to its topic's name. @defaultValue `{ suffix: ".dlq" }` */
  readonly destination?:
    | { readonly suffix: string }
    | ((failure: Failure, errorClass: string) => string);
  /** Longest error message kept in a header, in characters. @defaultValue 1_000 */
  readonly maxMessageChars?: number;
  /** Longest stack kept in a header, in characters. @defaultValue 4_000 */
  readonly maxStackChars?: number;
  /**
   * Whether a missing dead-letter topic is created, with the partitions and replicas of the topic that failed, where the
   * transport has `capabilities.topics`. @defaultValue "fromSource"
   */
  readonly createTopics?: "fromSource" | "never";
  /**
   * Settings of dead-letter topics that are created, by the broker's own names.
   * @defaultValue `{ "cleanup.policy": "delete", "retention.ms": "-1" }`: nothing vanishes unseen
   */
  readonly topicConfig?: Readonly<Record<string, string>>;
  /**
   * Deliveries after which a message that never reached an end is taken for one that kills its process, and is
   * dead-lettered before its handler runs again, ≥ 2. Works where the transport counts deliveries across processes.
   * @defaultValue 20
   */
  readonly maxDeliveries?: number;
  /** How long a replay or discard that died keeps others away from its dead-letter topic, in milliseconds, ≥ 1,000. @defaultValue 15_000 */
  readonly leaseMs?: number;
  /** Called, guarded, each time a dead letter could not be stored. */
  readonly onDeadLetterFailure?: (failure: Failure, error: unknown) => void;
}

/** Options of `dlq()`, defaults applied. */
export interface ResolvedDlqOptions extends Required<
  Omit<DlqOptions, "retry" | "onDeadLetterFailure">
> {
  readonly retry: Required<RetryOptions>;
  readonly onDeadLetterFailure?: NonNullable<DlqOptions["onDeadLetterFailure"]>;
}

/** Every default of this package. */
export const DLQ_DEFAULTS: Omit<ResolvedDlqOptions, "onDeadLetterFailure"> = Object.freeze({
  retry: Object.freeze({ attempts: 5, baseMs: 1_000, maxMs: 300_000, jitter: 0.2 }),
  rules: Object.freeze([]),
  defaultClass: "RETRYABLE",
  onConflict: "retry",
  onExhausted: "deadLetter",
  destination: Object.freeze({ suffix: ".dlq" }),
  maxMessageChars: 1_000,
  maxStackChars: 4_000,
  createTopics: "fromSource",
  topicConfig: Object.freeze({ "cleanup.policy": "delete", "retention.ms": "-1" }),
  maxDeliveries: 20,
  leaseMs: 15_000,
});

const ERROR_CLASSES = ["RETRYABLE", "POISON", "UNRECOVERABLE", "CONFLICT", "SKIP"] as const;

const functionOf = <TFunction>(what: string) =>
  z.custom<TFunction>((value) => typeof value === "function", {
    message: `must be a function (${what})`,
  });

const retrySchema = z.strictObject({
  attempts: z.int().min(1).default(DLQ_DEFAULTS.retry.attempts),
  baseMs: z.number().min(0).default(DLQ_DEFAULTS.retry.baseMs),
  maxMs: z.number().min(0).default(DLQ_DEFAULTS.retry.maxMs),
  jitter: z.number().min(0).max(1).default(DLQ_DEFAULTS.retry.jitter),
});

const ruleSchema = z
  .strictObject({
    as: z.enum(ERROR_CLASSES),
    code: z.union([z.string(), z.number()]).optional(),
    name: z.string().optional(),
    type: functionOf<NonNullable<ClassifierRule["type"]>>("a class").optional(),
    when: functionOf<NonNullable<ClassifierRule["when"]>>("(error, failure) => boolean").optional(),
  })
  .refine(
    (rule) => Object.keys(rule).length > 1,
    "must have a condition beside `as`: code, name, type or when",
  );

/** The schema of the options. */
export const dlqOptions: z.ZodType<ResolvedDlqOptions, DlqOptions> = z.strictObject({
  retry: retrySchema.prefault({}),
  rules: z.array(ruleSchema).readonly().default([]),
  defaultClass: z.enum(ERROR_CLASSES).default(DLQ_DEFAULTS.defaultClass),
  onConflict: z.enum(["ack", "retry", "deadLetter"]).default(DLQ_DEFAULTS.onConflict),
  onExhausted: z.enum(["deadLetter", "block", "skip"]).default(DLQ_DEFAULTS.onExhausted),
  destination: z
    .union([
      z.strictObject({ suffix: z.string().min(1) }),
      functionOf<(failure: Failure, errorClass: string) => string>(
        "(failure, errorClass) => topic",
      ),
    ])
    .default(DLQ_DEFAULTS.destination),
  maxMessageChars: z.int().min(0).default(DLQ_DEFAULTS.maxMessageChars),
  maxStackChars: z.int().min(0).default(DLQ_DEFAULTS.maxStackChars),
  createTopics: z.enum(["fromSource", "never"]).default(DLQ_DEFAULTS.createTopics),
  topicConfig: z.record(z.string(), z.string()).default(DLQ_DEFAULTS.topicConfig),
  maxDeliveries: z.int().min(2).default(DLQ_DEFAULTS.maxDeliveries),
  leaseMs: z.number().min(1_000).default(DLQ_DEFAULTS.leaseMs),
  onDeadLetterFailure: functionOf<NonNullable<DlqOptions["onDeadLetterFailure"]>>(
    "(failure, error) => void",
  ).optional(),
}) as z.ZodType<ResolvedDlqOptions, DlqOptions>; // zod adds `undefined` to optional members, which the types leave out
