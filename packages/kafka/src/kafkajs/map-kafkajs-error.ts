import { BusError } from "@bus/core";
import { brokerError, clientError, connectionError, credentialsError } from "../map-kafka-error.ts";
import type { KafkaFailure } from "../map-kafka-error.ts";

/** Longest chain of causes that is followed; kafkajs wraps at most three times. */
const MAX_CAUSES = 8;

const CONNECTION_ERRORS = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSNoBrokerAvailableError",
  "KafkaJSLockTimeout",
]);

/** What is known of an error of kafkajs, found along its causes. */
export interface KafkajsErrorFacts {
  /** Error code of the Kafka protocol. */
  readonly kafkaCode?: number;
  /** Code of Node or OpenSSL. */
  readonly systemCode?: string;
  readonly isConnection: boolean;
  readonly isClosed: boolean;
  readonly isCredentials: boolean;
  /** An error of ours that passed through kafkajs. */
  readonly busError?: BusError;
}

/** Find out what an error of kafkajs is about: kafkajs wraps errors in others and keeps the causes. */
export function kafkajsErrorFacts(error: unknown): KafkajsErrorFacts {
  let facts: KafkajsErrorFacts = { isConnection: false, isClosed: false, isCredentials: false };
  let current: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth += 1) {
    if (BusError.is(current)) return { ...facts, busError: current };
    facts = { ...factsOf(current), ...withoutUndefined(facts) };
    current = nextCause(current);
  }
  return facts;
}

/** The `BusError` for an error of kafkajs. */
export function mapKafkajsError(error: unknown, failure: Omit<KafkaFailure, "cause">): BusError {
  const facts = kafkajsErrorFacts(error);
  if (facts.busError !== undefined) return facts.busError;
  const whole = { ...failure, cause: error };
  if (facts.isCredentials) return credentialsError(whole);
  if (facts.kafkaCode !== undefined) return brokerError(facts.kafkaCode, whole);
  if (facts.isConnection) return connectionError(facts.systemCode, whole);
  return clientError(whole);
}

/** Errors about several things at once keep them in `errors`; one is enough to know what it is about. */
function nextCause(error: Error): unknown {
  if ("errors" in error && Array.isArray(error.errors)) return error.errors[0];
  return error.cause;
}

/** Whether a connection that was made has been closed by the other side. */
export function isClosedByPeer(error: unknown): boolean {
  const { isClosed, systemCode, kafkaCode, isCredentials } = kafkajsErrorFacts(error);
  if (kafkaCode !== undefined || isCredentials) return false;
  return isClosed || systemCode === "ECONNRESET" || systemCode === "EPIPE";
}

function factsOf(error: Error): KafkajsErrorFacts {
  const code: unknown = "code" in error ? error.code : undefined;
  const isCredentials = error.name === "KafkaJSSASLAuthenticationError";
  const isConnection = CONNECTION_ERRORS.has(error.name);
  const isClosed = error.name === "KafkaJSConnectionClosedError";
  const facts = { isConnection, isClosed, isCredentials };
  if (typeof code === "number") return { ...facts, kafkaCode: code };
  return typeof code === "string" ? { ...facts, systemCode: code } : facts;
}

/** Facts found nearer to the top win, but "is not" found there does not hide "is" found below. */
function withoutUndefined(facts: KafkajsErrorFacts): Partial<KafkajsErrorFacts> {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== false),
  );
}
