import { BusConfigError, BusTransportError } from "@bus/core";
import type { BusError, ErrorCode, ErrorDetails } from "@bus/core";
import type { ResolvedNetOptions } from "./driver-options.ts";

/** Error codes of the Kafka protocol that mean more than "the broker failed, try again". Both clients carry the numbers. */
const BROKER_ERRORS: Readonly<Record<number, readonly [name: string, code: ErrorCode]>> =
  Object.freeze({
    [-1]: ["UNKNOWN_SERVER_ERROR", "BUS_TRANSPORT"],
    1: ["OFFSET_OUT_OF_RANGE", "BUS_TRANSPORT"],
    2: ["CORRUPT_MESSAGE", "BUS_TRANSPORT"],
    3: ["UNKNOWN_TOPIC_OR_PARTITION", "BUS_TOPIC_MISSING"],
    4: ["INVALID_FETCH_SIZE", "BUS_BROKER_REJECTED"],
    5: ["LEADER_NOT_AVAILABLE", "BUS_TRANSPORT"],
    6: ["NOT_LEADER_OR_FOLLOWER", "BUS_TRANSPORT"],
    7: ["REQUEST_TIMED_OUT", "BUS_TRANSPORT"],
    8: ["BROKER_NOT_AVAILABLE", "BUS_TRANSPORT"],
    9: ["REPLICA_NOT_AVAILABLE", "BUS_TRANSPORT"],
    10: ["MESSAGE_TOO_LARGE", "BUS_MESSAGE_TOO_LARGE"],
    12: ["OFFSET_METADATA_TOO_LARGE", "BUS_BROKER_REJECTED"],
    13: ["NETWORK_EXCEPTION", "BUS_TRANSPORT"],
    14: ["COORDINATOR_LOAD_IN_PROGRESS", "BUS_TRANSPORT"],
    15: ["COORDINATOR_NOT_AVAILABLE", "BUS_TRANSPORT"],
    16: ["NOT_COORDINATOR", "BUS_TRANSPORT"],
    17: ["INVALID_TOPIC_EXCEPTION", "BUS_BROKER_REJECTED"],
    18: ["RECORD_LIST_TOO_LARGE", "BUS_MESSAGE_TOO_LARGE"],
    19: ["NOT_ENOUGH_REPLICAS", "BUS_TRANSPORT"],
    20: ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "BUS_TRANSPORT"],
    21: ["INVALID_REQUIRED_ACKS", "BUS_BROKER_REJECTED"],
    22: ["ILLEGAL_GENERATION", "BUS_FENCED"],
    23: ["INCONSISTENT_GROUP_PROTOCOL", "BUS_BROKER_REJECTED"],
    24: ["INVALID_GROUP_ID", "BUS_BROKER_REJECTED"],
    25: ["UNKNOWN_MEMBER_ID", "BUS_FENCED"],
    26: ["INVALID_SESSION_TIMEOUT", "BUS_BROKER_REJECTED"],
    27: ["REBALANCE_IN_PROGRESS", "BUS_FENCED"],
    28: ["INVALID_COMMIT_OFFSET_SIZE", "BUS_BROKER_REJECTED"],
    29: ["TOPIC_AUTHORIZATION_FAILED", "BUS_AUTHORIZATION"],
    30: ["GROUP_AUTHORIZATION_FAILED", "BUS_AUTHORIZATION"],
    31: ["CLUSTER_AUTHORIZATION_FAILED", "BUS_AUTHORIZATION"],
    32: ["INVALID_TIMESTAMP", "BUS_BROKER_REJECTED"],
    33: ["UNSUPPORTED_SASL_MECHANISM", "BUS_AUTHENTICATION"],
    34: ["ILLEGAL_SASL_STATE", "BUS_AUTHENTICATION"],
    35: ["UNSUPPORTED_VERSION", "BUS_UNSUPPORTED"],
    36: ["TOPIC_ALREADY_EXISTS", "BUS_BROKER_REJECTED"],
    37: ["INVALID_PARTITIONS", "BUS_BROKER_REJECTED"],
    38: ["INVALID_REPLICATION_FACTOR", "BUS_BROKER_REJECTED"],
    39: ["INVALID_REPLICA_ASSIGNMENT", "BUS_BROKER_REJECTED"],
    40: ["INVALID_CONFIG", "BUS_BROKER_REJECTED"],
    41: ["NOT_CONTROLLER", "BUS_TRANSPORT"],
    42: ["INVALID_REQUEST", "BUS_BROKER_REJECTED"],
    43: ["UNSUPPORTED_FOR_MESSAGE_FORMAT", "BUS_BROKER_REJECTED"],
    44: ["POLICY_VIOLATION", "BUS_BROKER_REJECTED"],
    45: ["OUT_OF_ORDER_SEQUENCE_NUMBER", "BUS_TRANSPORT"],
    46: ["DUPLICATE_SEQUENCE_NUMBER", "BUS_TRANSPORT"],
    47: ["INVALID_PRODUCER_EPOCH", "BUS_FENCED"],
    48: ["INVALID_TXN_STATE", "BUS_BROKER_REJECTED"],
    49: ["INVALID_PRODUCER_ID_MAPPING", "BUS_FENCED"],
    50: ["INVALID_TRANSACTION_TIMEOUT", "BUS_BROKER_REJECTED"],
    51: ["CONCURRENT_TRANSACTIONS", "BUS_TRANSPORT"],
    52: ["TRANSACTION_COORDINATOR_FENCED", "BUS_FENCED"],
    53: ["TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "BUS_AUTHORIZATION"],
    54: ["SECURITY_DISABLED", "BUS_BROKER_REJECTED"],
    56: ["KAFKA_STORAGE_ERROR", "BUS_TRANSPORT"],
    58: ["SASL_AUTHENTICATION_FAILED", "BUS_AUTHENTICATION"],
    59: ["UNKNOWN_PRODUCER_ID", "BUS_TRANSPORT"],
    74: ["FENCED_LEADER_EPOCH", "BUS_TRANSPORT"],
    75: ["UNKNOWN_LEADER_EPOCH", "BUS_TRANSPORT"],
    76: ["UNSUPPORTED_COMPRESSION_TYPE", "BUS_UNSUPPORTED"],
    79: ["MEMBER_ID_REQUIRED", "BUS_FENCED"],
    81: ["GROUP_MAX_SIZE_REACHED", "BUS_BROKER_REJECTED"],
    82: ["FENCED_INSTANCE_ID", "BUS_FENCED"],
    87: ["INVALID_RECORD", "BUS_BROKER_REJECTED"],
    88: ["UNSTABLE_OFFSET_COMMIT", "BUS_TRANSPORT"],
    90: ["PRODUCER_FENCED", "BUS_FENCED"],
  });

/** Failures of TLS as Node and OpenSSL name them. */
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|EPROTO$|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(VERIFY|GET_ISSUER)|HOSTNAME_MISMATCH|INVALID_CA|TLS_ALERT)/u;

/** What failed. */
export interface KafkaFailure {
  /** What was being done, as the start of the message: `committing offsets of group billing`. */
  readonly doing: string;
  /** Topic, partition and the like. */
  readonly details?: ErrorDetails;
  /** The client's own error. */
  readonly cause?: unknown;
  /** What a person can do, as the end of the message. */
  readonly hint?: string;
}

/**
 * The error for an error code of the Kafka protocol.
 *
 * @returns `details.brokerCode` is the broker's name of the code. An unknown code counts as `BUS_TRANSPORT`: a newer
 *   broker may know it, and trying again does no harm.
 */
export function brokerError(kafkaCode: number, failure: KafkaFailure): BusError {
  const [brokerCode, code] = BROKER_ERRORS[kafkaCode] ?? [
    `KAFKA_ERROR_${kafkaCode}`,
    "BUS_TRANSPORT",
  ];
  if (code === "BUS_AUTHENTICATION")
    return credentialsError({ ...failure, details: { ...failure.details, brokerCode } });
  const message = `${failure.doing} failed: the broker answered ${brokerCode}${hint(failure)}`;
  return make(code, message, { ...failure, details: { ...failure.details, brokerCode } });
}

/** The error for a connection that could not be made or broke; `systemCode` is that of Node or OpenSSL, when there is one. */
export function connectionError(systemCode: string | undefined, failure: KafkaFailure): BusError {
  const details = { ...failure.details, ...(systemCode === undefined ? {} : { systemCode }) };
  const reason =
    failure.cause instanceof Error ? failure.cause.message : (systemCode ?? "no connection");
  if (systemCode !== undefined && TLS_CODE.test(systemCode)) {
    const message = `${failure.doing} failed: TLS with the options in net.tls was refused: ${reason}`;
    return make("BUS_AUTHENTICATION", message, {
      ...failure,
      details: { ...details, path: "net.tls" },
    });
  }
  return make("BUS_CONNECT", `${failure.doing} failed: ${reason}${hint(failure)}`, {
    ...failure,
    details,
  });
}

/**
 * The error for a connection that was made and then closed by the other side before anything was said: mostly a listener
 * that speaks TLS or SASL while we do not, or the other way round.
 */
export function handshakeError(
  options: Pick<ResolvedNetOptions, "tls" | "sasl">,
  failure: KafkaFailure,
): BusError {
  const path = options.tls !== undefined && options.sasl === undefined ? "net.sasl" : "net.tls";
  const wanted = options.tls === undefined ? "want TLS (net.tls)" : "speak TLS (net.tls)";
  const doubt = `does this listener ${wanted}${options.sasl === undefined ? ", or credentials (net.sasl)" : ""}?`;
  const reason =
    failure.cause instanceof Error ? failure.cause.message : "the connection was closed";
  const details = { ...failure.details, path };
  return make("BUS_CONNECT", `${failure.doing} failed: ${reason}; ${doubt}`, {
    ...failure,
    details,
  });
}

/** The error for credentials that the broker refused. */
export function credentialsError(failure: KafkaFailure): BusError {
  const reason = failure.cause instanceof Error ? failure.cause.message : "no reason given";
  const message = `${failure.doing} failed: the broker refused the credentials in net.sasl: ${reason}`;
  return make("BUS_AUTHENTICATION", message, {
    ...failure,
    details: { ...failure.details, path: "net.sasl" },
  });
}

/** The error for something that the client could not do and does not explain by a code; trying again may help. */
export function clientError(failure: KafkaFailure): BusError {
  const reason = failure.cause instanceof Error ? failure.cause.message : String(failure.cause);
  return make("BUS_TRANSPORT", `${failure.doing} failed: ${reason}${hint(failure)}`, failure);
}

function make(code: ErrorCode, message: string, { details, cause }: KafkaFailure): BusError {
  const init = { ...(details === undefined ? {} : { details }), cause };
  return code === "BUS_UNSUPPORTED"
    ? new BusConfigError(code, message, init)
    : new BusTransportError(code, message, init);
}

function hint(failure: KafkaFailure): string {
  return failure.hint === undefined ? "" : `; ${failure.hint}`;
}
