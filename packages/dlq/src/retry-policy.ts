import type { Failure, FailureDecision, RetryPolicy } from "@bus/core";
import { backOffMs } from "@bus/core/adapter";
import { createClassifier } from "./classify-error.ts";
import type { Classification } from "./classify-error.ts";
import type { ResolvedDlqOptions } from "./dlq-options.ts";

/** Make the policy of the `retry` stage: classify, then decide by class. */
export function createRetryPolicy(options: ResolvedDlqOptions, random: () => number): RetryPolicy {
  const classify = createClassifier(options);
  return (failure) => decide(classify(failure), failure, { options, random });
}

interface PolicyParts {
  readonly options: ResolvedDlqOptions;
  readonly random: () => number;
}

function decide(
  classification: Classification,
  failure: Failure,
  parts: PolicyParts,
): FailureDecision {
  const { errorClass } = classification;
  switch (errorClass) {
    case "SKIP":
      return {
        kind: "skip",
        errorClass,
        reason: classification.reason ?? "skipped by the handler",
      };
    case "RETRYABLE":
      return retryOrGiveUp(classification, failure, parts);
    case "POISON":
    case "UNRECOVERABLE":
      return giveUp(classification, failure, parts);
    case "CONFLICT":
      return decideConflict(classification, failure, parts);
    default:
      return errorClass satisfies never;
  }
}

function decideConflict(
  classification: Classification,
  failure: Failure,
  parts: PolicyParts,
): FailureDecision {
  const { errorClass } = classification;
  switch (parts.options.onConflict) {
    case "ack":
      return { kind: "skip", errorClass, reason: "already written (onConflict is ack)" };
    case "deadLetter":
      return { kind: "deadLetter", errorClass };
    case "retry":
      return retryOrGiveUp(classification, failure, parts);
    default:
      return parts.options.onConflict satisfies never;
  }
}

function retryOrGiveUp(
  classification: Classification,
  failure: Failure,
  parts: PolicyParts,
): FailureDecision {
  if (failure.attempt >= parts.options.retry.attempts)
    return giveUp(classification, failure, parts);
  return retry(classification, failure, parts);
}

function giveUp(
  classification: Classification,
  failure: Failure,
  parts: PolicyParts,
): FailureDecision {
  const { errorClass } = classification;
  switch (parts.options.onExhausted) {
    case "deadLetter":
      return { kind: "deadLetter", errorClass };
    case "block":
      return retry(classification, failure, parts);
    case "skip":
      return {
        kind: "skip",
        errorClass,
        reason: `failed for good after ${failure.attempt} attempts (onExhausted is skip)`,
      };
    default:
      return parts.options.onExhausted satisfies never;
  }
}

function retry(
  { errorClass, retryAfterMs }: Classification,
  failure: Failure,
  { options, random }: PolicyParts,
): FailureDecision {
  return {
    kind: "retry",
    errorClass,
    afterMs: retryAfterMs ?? backOffMs(failure.attempt, options.retry, random),
  };
}
