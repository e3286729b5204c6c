import type { Failure } from "@bus/core";
import { causesFirst, isInstance, isList, property, textProperty } from "./error-chain.ts";

/**
 * What a failure means.
 *
 * - `RETRYABLE`: may succeed later.
 * - `POISON`: the message itself can never succeed.
 * - `UNRECOVERABLE`: the handler itself is broken.
 * - `CONFLICT`: what the handler wanted to write is there already.
 * - `SKIP`: nothing to do.
 */
export type ErrorClass = "RETRYABLE" | "POISON" | "UNRECOVERABLE" | "CONFLICT" | "SKIP";

/** A rule of the user's: the first that matches the error or one of its causes decides. All given conditions must hold. */
export interface ClassifierRule {
  readonly as: ErrorClass;
  /** The error's `code`. */
  readonly code?: string | number;
  /** The error's `name`. */
  readonly name?: string;
  /** A class that the error is an instance of; in code only. */
  readonly type?: abstract new (...args: never) => unknown;
  /** Anything else; in code only. A predicate that throws does not match. */
  readonly when?: (error: unknown, failure: Failure) => boolean;
}

/** The meaning of a failure, and what the handler asked for. */
export interface Classification {
  readonly errorClass: ErrorClass;
  /** The delay that the handler asked for by `RetryLater`, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Why the handler skipped the message. */
  readonly reason: string | undefined;
}

/** How failures are classified. */
export interface ClassifierOptions {
  readonly rules: readonly ClassifierRule[];
  /** Class of errors that nothing else decides. */
  readonly defaultClass: ErrorClass;
}

const NETWORK_CODE =
  /^(ECONN[A-Z]+|ETIMEDOUT|EPIPE|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ENOTFOUND|UND_ERR_(CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|SOCKET))$/;
const RETRYABLE_STATUS: ReadonlySet<unknown> = new Set([408, 425, 429]);
const UNIQUE_VIOLATION: ReadonlySet<unknown> = new Set([
  "23505",
  "ER_DUP_ENTRY",
  "SQLITE_CONSTRAINT_UNIQUE",
]);
const MYSQL_DUPLICATE_ENTRY = 1062;
/** Errors of the language that a wrong program throws. */
const BUGS = Object.freeze([TypeError, RangeError, ReferenceError]);
/** Codes of `BusError` that blame the message. */
const POISON_BUS_CODES: ReadonlySet<unknown> = new Set(["BUS_DECODE", "BUS_SCHEMA"]);

/**
 * Make a classifier. It decides, in this order: by what the handler said (`RetryLater`, `Poison`, `Skip`), by the
 * user's rules, by what the error and its causes are (innermost cause first), by the default. Never by words of a message.
 */
export function createClassifier({
  rules,
  defaultClass,
}: ClassifierOptions): (failure: Failure) => Classification {
  return function classify(failure) {
    const said = whatTheHandlerSaid(failure.error);
    if (said !== undefined) return said;
    const chain = causesFirst(failure.error);
    for (const rule of rules) {
      if (chain.some((error) => matches(rule, error, failure))) return meaning(rule.as);
    }
    for (const error of chain) {
      const errorClass = classOf(error);
      if (errorClass !== undefined) return meaning(errorClass);
    }
    return meaning(defaultClass);
  };
}

function whatTheHandlerSaid(error: unknown): Classification | undefined {
  if (property(error, "isSkip") === true) {
    return { errorClass: "SKIP", retryAfterMs: undefined, reason: textProperty(error, "message") };
  }
  if (property(error, "isPoison") === true) return meaning("POISON");
  if (property(error, "isRetryLater") !== true) return undefined;
  const afterMs = property(error, "afterMs");
  return {
    errorClass: "RETRYABLE",
    retryAfterMs: isDelay(afterMs) ? afterMs : undefined,
    reason: undefined,
  };
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function meaning(errorClass: ErrorClass): Classification {
  return { errorClass, retryAfterMs: undefined, reason: undefined };
}

function matches(rule: ClassifierRule, error: unknown, failure: Failure): boolean {
  const { code, name, type, when } = rule;
  if (code !== undefined && property(error, "code") !== code) return false;
  if (name !== undefined && property(error, "name") !== name) return false;
  if (type !== undefined && !isInstance(error, type)) return false;
  return when === undefined || holds(() => when(error, failure));
}

function holds(predicate: () => boolean): boolean {
  try {
    return predicate();
  } catch {
    // Rules look at whatever was thrown; one that cannot cope with it does not match.
    return false;
  }
}

function classOf(error: unknown): ErrorClass | undefined {
  const code = property(error, "code");
  if (property(error, "isBusError") === true)
    return classOfBusError(code, property(error, "retryable"));
  if (typeof code === "string" && NETWORK_CODE.test(code)) return "RETRYABLE";
  if (UNIQUE_VIOLATION.has(code) || property(error, "errno") === MYSQL_DUPLICATE_ENTRY)
    return "CONFLICT";
  if (isRetryableStatus(error)) return "RETRYABLE";
  if (property(error, "name") === "TimeoutError") return "RETRYABLE";
  if (isInstance(error, SyntaxError) || isList(property(error, "issues"))) return "POISON";
  if (BUGS.some((type) => isInstance(error, type))) return "UNRECOVERABLE";
  return undefined;
}

/** `BUS_HANDLER` wraps what a handler said without saying more, so its causes decide. */
function classOfBusError(code: unknown, retryable: unknown): ErrorClass | undefined {
  if (POISON_BUS_CODES.has(code)) return "POISON";
  if (code === "BUS_HANDLER") return undefined;
  return retryable === true ? "RETRYABLE" : "UNRECOVERABLE";
}

function isRetryableStatus(error: unknown): boolean {
  const candidates = [
    property(error, "status"),
    property(error, "statusCode"),
    property(property(error, "response"), "status"),
  ];
  return candidates.some(
    (status) =>
      RETRYABLE_STATUS.has(status) ||
      (typeof status === "number" && status >= 500 && status <= 599),
  );
}
