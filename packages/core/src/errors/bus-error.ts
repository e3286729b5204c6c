import { ERROR_CODES } from "./error-codes.ts";
import type { ErrorCode } from "./error-codes.ts";

/** Machine-readable context of an error: option paths, topics, offsets, the broker's own code. Never message contents. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** What an error is made of beside its code and message. */
export interface BusErrorInit {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/** The one error type of @bus. Its four subclasses tell who has to act. */
export class BusError extends Error {
  /** Brand that survives copies of the package; use `BusError.is`. */
  readonly isBusError: true = true;
  readonly code: ErrorCode;
  /** Whether trying the same again can succeed. */
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, init: BusErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
    this.details = init.details ?? NO_DETAILS;
  }

  /** Whether a value is a `BusError`, of one code when given. Works across copies of the package. */
  static is(value: unknown, code?: ErrorCode): value is BusError {
    if (typeof value !== "object" || value === null) return false;
    if (!("isBusError" in value) || value.isBusError !== true) return false;
    return code === undefined || ("code" in value && value.code === code);
  }
}

const NO_DETAILS: ErrorDetails = Object.freeze({});

/** You have to act, now: a wrong option, a missing plugin, a value that cannot be published. */
export class BusConfigError extends BusError {}

/** The broker or the network has to act, or an operator. */
export class BusTransportError extends BusError {}

/** Your handler, codec or schema failed on a message. */
export class BusHandlerError extends BusError {}

/** The bus is closing or closed. */
export class BusClosedError extends BusError {
  constructor(message: string, init: BusErrorInit = {}) {
    super("BUS_CLOSED", message, init);
  }
}
