import { BusClosedError, BusTransportError } from "@bus/core";
import type { BusError, TopicPartition } from "@bus/core";
import type { SealedBatch } from "./sealed-batch.ts";

/** By when a publish had to be done, and why it was not. */
export interface Lateness {
  readonly timeoutMs: number;
  /** The last failure, when there was one. */
  readonly cause: unknown;
}

/** The error of records that the transport was closed before. */
export function closedError({ topic, partition }: TopicPartition): BusError {
  return new BusClosedError(
    `the transport was closed before a message was stored in ${topic}[${partition}]`,
  );
}

/** The error of a batch that is not sent again, after the failure of its last attempt. */
export function outOfRetries(
  { topic, partition, attempts }: SealedBatch,
  { cause, message, details }: BusError,
): BusError {
  const text = `${message} (attempt ${attempts})`;
  return new BusTransportError("BUS_PUBLISH_FAILED", text, {
    details: { ...details, topic, partition, attempts },
    cause,
  });
}

/** The error of records whose deadline has passed. */
export function outOfTime({ topic, partition }: TopicPartition, lateness: Lateness): BusError {
  const { timeoutMs, cause } = lateness;
  const why = cause instanceof Error ? `; last failure: ${cause.message}` : "";
  const message = `publishing to ${topic}[${partition}] was not done within ${timeoutMs} ms${why}`;
  return new BusTransportError("BUS_PUBLISH_FAILED", message, {
    details: { topic, partition },
    cause,
  });
}

/** The error of records that may have been stored. */
export function unknownOutcome(
  { topic, partition }: TopicPartition,
  { message, cause }: BusError,
): BusError {
  const text = `it is not known whether a message was stored in ${topic}[${partition}]: ${message}`;
  return new BusTransportError("BUS_OUTCOME_UNKNOWN", text, {
    details: { topic, partition },
    cause,
  });
}
