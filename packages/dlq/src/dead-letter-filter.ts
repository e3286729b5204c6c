import { BusConfigError } from "@bus/core";
import type { DeadLetterSummary } from "./dead-letter-record.ts";

/** Which dead letters are meant; every condition given must hold. `topic` or `deadLetterTopic` is needed. */
export interface DeadLetterFilter {
  /** The topic that the messages failed in. */
  readonly topic?: string;
  /** The topic that the dead letters are in. @defaultValue that of `topic` by `destination.suffix` */
  readonly deadLetterTopic?: string;
  readonly group?: string;
  readonly errorClass?: string;
  readonly errorName?: string;
  readonly fingerprint?: string;
  readonly ids?: readonly string[];
  /** Last failed at this time or later; milliseconds since the Unix epoch. */
  readonly failedFromMs?: number;
  /** Last failed before this time; milliseconds since the Unix epoch. */
  readonly failedBeforeMs?: number;
}

/** A filter whose absent conditions may be there as `undefined`. */
export type LooseFilter = {
  readonly [Name in keyof DeadLetterFilter]: DeadLetterFilter[Name] | undefined;
};

/** Make the test of a filter. */
export function createFilter(filter: LooseFilter): (letter: DeadLetterSummary) => boolean {
  const ids = filter.ids === undefined ? undefined : new Set(filter.ids);
  const { failedFromMs = -Infinity, failedBeforeMs = Infinity } = filter;
  const equal: readonly (readonly [
    wanted: string | undefined,
    of: (letter: DeadLetterSummary) => string,
  ])[] = [
    [filter.topic, (letter) => letter.original.topic],
    [filter.group, (letter) => letter.group],
    [filter.errorClass, (letter) => letter.errorClass],
    [filter.errorName, (letter) => letter.errorName],
    [filter.fingerprint, (letter) => letter.fingerprint],
  ];
  const conditions = equal.filter(([wanted]) => wanted !== undefined);
  return (letter) =>
    conditions.every(([wanted, of]) => of(letter) === wanted) &&
    (ids === undefined || ids.has(letter.id)) &&
    letter.lastFailedAtMs >= failedFromMs &&
    letter.lastFailedAtMs < failedBeforeMs;
}

/**
 * The topic that a filter is about.
 *
 * @param suffix - What dead-letter topics end in; `undefined` where a function chooses them.
 * @throws BusConfigError `BUS_CONFIG` when the filter does not say.
 */
export function deadLetterTopicOf(filter: LooseFilter, suffix: string | undefined): string {
  if (filter.deadLetterTopic !== undefined) return filter.deadLetterTopic;
  if (filter.topic !== undefined && suffix !== undefined) return `${filter.topic}${suffix}`;
  const message =
    filter.topic === undefined
      ? "topic or deadLetterTopic must be given"
      : "deadLetterTopic must be given: destination is a function";
  throw new BusConfigError("BUS_CONFIG", message, { details: { path: "deadLetterTopic" } });
}
