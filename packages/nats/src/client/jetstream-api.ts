import { BusError, BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { NatsLink } from "./nats-link.ts";

const API = "$JS.API";
const REQUEST_TIMEOUT_MS = 5_000;
const PATIENCE = Object.freeze({ baseMs: 100, maxMs: 2_000, jitter: 0.2 });

/** Error codes of JetStream that callers tell apart (`errors.json` of nats-server). */
export const JETSTREAM_ERRORS: Readonly<Record<string, number>> = Object.freeze({
  notEnabled: 10_076,
  notEnabledForAccount: 10_039,
  clusterNotAvailable: 10_008,
  consumerNotFound: 10_014,
  consumerExists: 10_148,
  streamNotFound: 10_059,
  noMessageFound: 10_037,
  wrongLastSequence: 10_071,
  overlap: 10_065,
  streamNameInUse: 10_058,
});

const PASSING_ERRORS = new Set([
  JETSTREAM_ERRORS["clusterNotAvailable"],
  // A server says so while it recovers.
  JETSTREAM_ERRORS["notEnabled"],
]);

/** What a call may need beside its subject and body. */
export interface CallOptions {
  /** How long failures that pass are answered by another try; 0: not at all. @defaultValue 0 */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

interface ApiAnswer {
  readonly error?: {
    readonly code: number;
    readonly err_code?: number;
    readonly description: string;
  };
}

/** Requests to JetStream's JSON API. */
export class JetStreamApi {
  readonly #link: NatsLink;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(link: NatsLink, { clock, random }: Pick<ApiParts, "clock" | "random">) {
    this.#link = link;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Call the API.
   *
   * @param subject - Behind `$JS.API.`, for example `STREAM.INFO.bus`.
   * @throws BusTransportError `BUS_TRANSPORT` when there was no answer, `BUS_BROKER_REJECTED` with `details.errorCode`.
   */
  async call<TAnswer>(
    subject: string,
    body: object | undefined,
    options: CallOptions = {},
  ): Promise<TAnswer> {
    const { patienceMs = 0, signal } = options;
    const untilMs = this.#clock.monotonicMs() + patienceMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#callOnce<TAnswer>(subject, body);
      } catch (error) {
        if (!BusError.is(error) || !error.retryable) throw error;
        const delayMs = backOffMs(attempt, PATIENCE, this.#random);
        if (this.#clock.monotonicMs() + delayMs > untilMs) throw error;
        if (!(await wait(this.#clock, delayMs, signal))) throw error;
      }
    }
  }

  /** As `call`, but `undefined` when what was asked for does not exist. */
  async find<TAnswer>(
    subject: string,
    body: object | undefined,
    options?: CallOptions,
  ): Promise<TAnswer | undefined> {
    try {
      return await this.call<TAnswer>(subject, body, options);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #callOnce<TAnswer>(subject: string, body: object | undefined): Promise<TAnswer> {
    const payload = Buffer.from(body === undefined ? "" : JSON.stringify(body));
    const { data } = await this.#link.request(`${API}.${subject}`, payload, REQUEST_TIMEOUT_MS);
    const answer: unknown = JSON.parse(
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(),
    );
    // The shape of each answer is fixed by JetStream's API; the caller names it.
    const { error } = answer as ApiAnswer;
    if (error !== undefined) throw apiError(subject, error);
    return answer as TAnswer;
  }
}

interface ApiParts {
  readonly clock: Clock;
  readonly random: () => number;
}

/** JetStream's code of an error that a call threw; `undefined` for another error. */
export function jetStreamErrorOf(error: unknown): number | undefined {
  if (!BusError.is(error)) return undefined;
  const code = error.details["errorCode"];
  return typeof code === "number" ? code : undefined;
}

function isMissing(error: unknown): boolean {
  const code = jetStreamErrorOf(error);
  return (
    code === JETSTREAM_ERRORS["consumerNotFound"] ||
    code === JETSTREAM_ERRORS["streamNotFound"] ||
    code === JETSTREAM_ERRORS["noMessageFound"]
  );
}

function apiError(subject: string, error: NonNullable<ApiAnswer["error"]>): BusTransportError {
  const isPassing = error.code === 503 || PASSING_ERRORS.has(error.err_code ?? 0);
  return new BusTransportError(
    isPassing ? "BUS_TRANSPORT" : "BUS_BROKER_REJECTED",
    `jetstream refused ${subject}: ${error.description}`,
    { details: { errorCode: error.err_code ?? error.code, request: subject } },
  );
}
