import { BusConfigError, BusError, BusTransportError } from "@bus/core";
import type { ErrorCode } from "@bus/core";
import { brokerError, clientError, connectionError, credentialsError } from "../map-kafka-error.ts";
import type { KafkaFailure } from "../map-kafka-error.ts";
import type { NativeError } from "./confluent-client-types.ts";

/** Codes of librdkafka that this driver acts on. */
export const LOCAL: {
  readonly messageTimedOut: number;
  readonly unknownPartition: number;
  readonly unknownTopic: number;
  readonly queueFull: number;
  readonly assign: number;
  readonly revoke: number;
  readonly state: number;
  readonly noOffset: number;
  readonly fatal: number;
  readonly maxPollExceeded: number;
  readonly autoOffsetReset: number;
  readonly badMessage: number;
  readonly badCompression: number;
  readonly notImplemented: number;
  readonly unsupportedFeature: number;
} = Object.freeze({
  badMessage: -199,
  badCompression: -198,
  messageTimedOut: -192,
  unknownPartition: -190,
  unknownTopic: -188,
  queueFull: -184,
  assign: -175,
  revoke: -174,
  state: -172,
  noOffset: -168,
  notImplemented: -170,
  unsupportedFeature: -165,
  fatal: -150,
  maxPollExceeded: -147,
  autoOffsetReset: -140,
});

/** Codes of the Kafka protocol that this driver acts on. */
export const BROKER: {
  readonly unknownTopicOrPartition: number;
  readonly leaderNotAvailable: number;
  readonly notLeader: number;
  readonly messageTooLarge: number;
  readonly topicAlreadyExists: number;
  readonly fencedInstanceId: number;
  readonly corruptMessage: number;
} = Object.freeze({
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  messageTooLarge: 10,
  topicAlreadyExists: 36,
  fencedInstanceId: 82,
});

/** Codes of librdkafka that mean more than "it failed, try again". */
const LOCAL_ERRORS: Readonly<Record<number, readonly [name: string, code: ErrorCode]>> =
  Object.freeze({
    [-199]: ["BAD_MSG", "BUS_CORRUPT"],
    [-198]: ["BAD_COMPRESSION", "BUS_CORRUPT"],
    [-192]: ["MSG_TIMED_OUT", "BUS_OUTCOME_UNKNOWN"],
    [-190]: ["UNKNOWN_PARTITION", "BUS_PUBLISH_FAILED"],
    [-188]: ["UNKNOWN_TOPIC", "BUS_TOPIC_MISSING"],
    [-186]: ["INVALID_ARG", "BUS_CONFIG"],
    [-170]: ["NOT_IMPLEMENTED", "BUS_UNSUPPORTED"],
    [-184]: ["QUEUE_FULL", "BUS_BUFFER_FULL"],
    [-172]: ["STATE", "BUS_FENCED"],
    [-165]: ["UNSUPPORTED_FEATURE", "BUS_UNSUPPORTED"],
    [-152]: ["PURGE_QUEUE", "BUS_PUBLISH_FAILED"],
    [-151]: ["PURGE_INFLIGHT", "BUS_OUTCOME_UNKNOWN"],
    [-147]: ["MAX_POLL_EXCEEDED", "BUS_FENCED"],
    [-144]: ["FENCED", "BUS_FENCED"],
    [-142]: ["ASSIGNMENT_LOST", "BUS_FENCED"],
    [-140]: ["AUTO_OFFSET_RESET", "BUS_NO_OFFSET"],
  });

/** Codes of the Kafka protocol that only this client meets: those of KIP-848. */
const GROUP_ERRORS: Readonly<Record<number, readonly [name: string, code: ErrorCode]>> =
  Object.freeze({
    110: ["FENCED_MEMBER_EPOCH", "BUS_FENCED"],
    111: ["UNRELEASED_INSTANCE_ID", "BUS_FENCED"],
    112: ["UNSUPPORTED_ASSIGNOR", "BUS_UNSUPPORTED"],
    113: ["STALE_MEMBER_EPOCH", "BUS_FENCED"],
  });

const CONNECTION_CODES = new Set([-195, -193, -187]);
const AUTHENTICATION = -169;
const SSL = -181;
/** Below: codes of librdkafka itself. */
const LAST_LOCAL = -100;

/** The `BusError` for an error of this client; a `BusError` is passed through. */
export function mapConfluentError(error: unknown, failure: Omit<KafkaFailure, "cause">): BusError {
  if (BusError.is(error)) return error;
  const whole = { ...failure, cause: error };
  const code = nativeCode(error);
  if (code === undefined) return clientError(whole);
  const known = LOCAL_ERRORS[code] ?? GROUP_ERRORS[code];
  if (known !== undefined) return named(known, whole);
  if (code === AUTHENTICATION) return credentialsError(whole);
  if (code === SSL) return connectionError("ERR_SSL", whole);
  if (CONNECTION_CODES.has(code)) return connectionError(undefined, whole);
  return code > LAST_LOCAL && code !== -1 ? brokerError(code, whole) : clientError(whole);
}

/** The code of an error of this client. */
export function nativeCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "number" ? error.code : undefined;
}

/** Whether a value is an error of this client. */
export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && nativeCode(error) !== undefined;
}

/**
 * What a line of librdkafka's log says about credentials or certificates. Calls of the client report neither: they time
 * out with "broker transport failure".
 *
 * @returns `undefined` for everything that trying again may mend, a connection closed during a handshake included.
 */
export function refusalInLog(message: string, doing: string): BusError | undefined {
  const text = message
    .replace(/^\[thrd:[^\]]*\]: /u, "")
    .replace(/ \(after \d+ms in state.*$/u, "");
  const cause = new Error(text);
  if (
    /SASL authentication error|SASL \S+ mechanism handshake failed|SASL mechanism .* not/u.test(
      text,
    )
  ) {
    return credentialsError({ doing, cause });
  }
  if (/certificate verify failed|tls alert|sslv3 alert|unable to get local issuer/iu.test(text)) {
    return connectionError("ERR_SSL", { doing, cause });
  }
  return undefined;
}

function named(
  [brokerCode, code]: readonly [name: string, code: ErrorCode],
  failure: KafkaFailure,
): BusError {
  const reason = failure.cause instanceof Error ? failure.cause.message : brokerCode;
  const message = `${failure.doing} failed: ${reason}${failure.hint === undefined ? "" : `; ${failure.hint}`}`;
  const init = { cause: failure.cause, details: { ...failure.details, brokerCode } };
  const isConfig = code === "BUS_CONFIG" || code === "BUS_UNSUPPORTED";
  return isConfig
    ? new BusConfigError(code, message, init)
    : new BusTransportError(code, message, init);
}
