import { createHash } from "node:crypto";
import type { Failure, HeaderList } from "@bus/core";
import { describeError, describeIssues } from "./describe-error.ts";
import { sanitise } from "./sanitise.ts";

/** Names of the headers of a dead letter. `PARKED_BEHIND` is reserved. */
export const DLQ_HEADERS = {
  ID: "x-dlq-id",
  DEATHS: "x-dlq-deaths",
  REPLAY_OF: "x-dlq-replay-of",
  ORIGINAL_TOPIC: "x-dlq-original-topic",
  ORIGINAL_PARTITION: "x-dlq-original-partition",
  ORIGINAL_OFFSET: "x-dlq-original-offset",
  ORIGINAL_TIMESTAMP: "x-dlq-original-timestamp",
  GROUP: "x-dlq-group",
  ERROR_CLASS: "x-dlq-error-class",
  ERROR_NAME: "x-dlq-error-name",
  ERROR_CODE: "x-dlq-error-code",
  ERROR_MESSAGE: "x-dlq-error-message",
  ERROR_STACK: "x-dlq-error-stack",
  ERROR_FINGERPRINT: "x-dlq-error-fingerprint",
  ERROR_ISSUES: "x-dlq-error-issues",
  ATTEMPTS: "x-dlq-attempts",
  FIRST_FAILED_AT: "x-dlq-first-failed-at",
  LAST_FAILED_AT: "x-dlq-last-failed-at",
  BUS_VERSION: "x-dlq-bus-version",
  PARKED_BEHIND: "x-dlq-parked-behind",
} as const;

/** Every header of ours begins so; a message's own headers never do. */
const OWN_PREFIX = "x-dlq-";

/** How much of an error is kept. */
export interface HeaderLimits {
  readonly maxMessageChars: number;
  readonly maxStackChars: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The headers of a dead letter: the message's own, byte for byte, in order, duplicates kept; then ours. Ours of an
 * earlier death are replaced, so that headers do not grow from death to death.
 */
export function deadLetterHeaders(
  failure: Failure,
  errorClass: string,
  limits: HeaderLimits,
): HeaderList {
  const { delivery } = failure;
  const own = ownHeaders(failure, errorClass, limits).map(
    ([name, value]) => [name, encoder.encode(value)] as const,
  );
  return [...originalHeaders(delivery.headers), ...own];
}

/** A message's headers without ours. */
export function originalHeaders(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !name.startsWith(OWN_PREFIX));
}

/** The text of the first header of a name; `undefined` when there is none. */
export function headerText(headers: HeaderList, name: string): string | undefined {
  const value = headers.find(([candidate]) => candidate === name)?.[1];
  return value === undefined ? undefined : decoder.decode(value);
}

/**
 * The id of a dead letter. It is computed from where the message stood and who failed, so a message that is stored
 * twice (a crash between storing and acknowledging) has one id; a message that died before keeps its first id.
 */
export function deadLetterId(failure: Failure): string {
  const { topic, partition, offset, headers } = failure.delivery;
  const earlier = headerText(headers, DLQ_HEADERS.REPLAY_OF) ?? headerText(headers, DLQ_HEADERS.ID);
  if (earlier !== undefined) return earlier;
  const place = JSON.stringify([failure.subscription.group, topic, partition, offset.toString()]);
  return createHash("sha256").update(place).digest("hex").slice(0, 32);
}

/** How often a message has died so far; 0 for one that never did. */
export function deathsOf(headers: HeaderList): number {
  const text = headerText(headers, DLQ_HEADERS.DEATHS) ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

/** The headers with which a dead letter is published again: its own ones, and what a further death must know. */
export function replayHeaders(headers: HeaderList): HeaderList {
  const id = headerText(headers, DLQ_HEADERS.ID) ?? "";
  return [
    ...originalHeaders(headers),
    [DLQ_HEADERS.REPLAY_OF, encoder.encode(id)],
    [DLQ_HEADERS.DEATHS, encoder.encode(String(deathsOf(headers)))],
  ];
}

function ownHeaders(
  failure: Failure,
  errorClass: string,
  limits: HeaderLimits,
): readonly (readonly [string, string])[] {
  const { delivery, subscription, error, attempt } = failure;
  const described = describeError(error);
  return [
    [DLQ_HEADERS.ID, deadLetterId(failure)],
    [DLQ_HEADERS.DEATHS, String(deathsOf(delivery.headers) + 1)],
    [DLQ_HEADERS.ORIGINAL_TOPIC, delivery.topic],
    [DLQ_HEADERS.ORIGINAL_PARTITION, String(delivery.partition)],
    [DLQ_HEADERS.ORIGINAL_OFFSET, delivery.offset.toString()],
    [DLQ_HEADERS.ORIGINAL_TIMESTAMP, String(delivery.timestampMs)],
    [DLQ_HEADERS.GROUP, subscription.group],
    [DLQ_HEADERS.ERROR_CLASS, errorClass],
    [DLQ_HEADERS.ERROR_NAME, sanitise(described.name, 200)],
    [DLQ_HEADERS.ERROR_CODE, sanitise(described.code, 200)],
    [DLQ_HEADERS.ERROR_MESSAGE, sanitise(described.message, limits.maxMessageChars)],
    [DLQ_HEADERS.ERROR_STACK, sanitise(described.stack, limits.maxStackChars)],
    [DLQ_HEADERS.ERROR_FINGERPRINT, described.fingerprint],
    ...issuesHeader(error, limits),
    [DLQ_HEADERS.ATTEMPTS, String(attempt)],
    [DLQ_HEADERS.FIRST_FAILED_AT, new Date(failure.firstFailedAtMs).toISOString()],
    [DLQ_HEADERS.LAST_FAILED_AT, new Date(failure.lastFailedAtMs).toISOString()],
    [DLQ_HEADERS.BUS_VERSION, BUS_VERSION],
  ];
}

/** What a schema or decoder had to say, where it says it as a list of issues. */
function issuesHeader(
  error: unknown,
  limits: HeaderLimits,
): readonly (readonly [string, string])[] {
  const issues = describeIssues(error);
  if (issues.length === 0) return [];
  return [[DLQ_HEADERS.ERROR_ISSUES, sanitise(JSON.stringify(issues), limits.maxMessageChars)]];
}

/** Version of the header table; changes when a header's meaning does. */
const BUS_VERSION = "1";
