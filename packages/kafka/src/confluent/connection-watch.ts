import type { BusError, TransportHost } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { ConnectionListener } from "./client-events.ts";
import { mapConfluentError } from "./map-confluent-error.ts";

/** Between two looks at a cluster that cannot be reached. */
const LOOK_BACK_OFF = Object.freeze({ baseMs: 250, maxMs: 5_000, jitter: 0.2 });
/** For so long a cluster that has just answered is not asked again. */
const TRUST_MS = 1_000;

/** What a watch needs. */
export interface ConnectionWatchParts {
  readonly host: TransportHost;
  /** One round trip to the cluster. */
  ping(): Promise<void>;
}

/**
 * Tells when the cluster is gone and when it is back. librdkafka says many times a second that all connections are
 * down, also for a client that has just closed an idle one, so its word is checked by a round trip.
 */
export class ConnectionWatch implements ConnectionListener {
  readonly #parts: ConnectionWatchParts;
  readonly #closing = new AbortController();
  #refusal: BusError | undefined;
  #looking: Promise<void> | undefined;
  #answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ConnectionWatchParts) {
    this.#parts = parts;
  }

  allDown(error: BusError): void {
    const { clock } = this.#parts.host;
    if (this.#looking !== undefined || this.#closing.signal.aborted) return;
    if (clock.monotonicMs() - this.#answeredAtMs < TRUST_MS) return;
    this.#looking = this.#look(error).finally(() => {
      this.#looking = undefined;
      this.#answeredAtMs = clock.monotonicMs();
    });
  }

  refused(error: BusError): void {
    this.#refusal = error;
  }

  /** Stop looking. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
  }

  async #look(reason: BusError): Promise<void> {
    const { host } = this.#parts;
    if (await this.#isReachable()) return;
    host.emit({ kind: "disconnected", error: this.#refusal ?? reason });
    for (let attempt = 1; !this.#closing.signal.aborted; attempt += 1) {
      const delayMs = backOffMs(attempt, LOOK_BACK_OFF, host.random);
      if (!(await wait(host.clock, delayMs, this.#closing.signal))) return;
      host.emit({ kind: "reconnecting", attempt, error: this.#refusal ?? reason });
      if (!(await this.#isReachable())) continue;
      this.#refusal = undefined;
      host.emit({ kind: "connected" });
      return;
    }
  }

  async #isReachable(): Promise<boolean> {
    try {
      await this.#parts.ping();
      return true;
    } catch (error) {
      const mapped = mapConfluentError(error, { doing: "asking the cluster for a sign of life" });
      this.#parts.host.logger.debug(mapped.message, mapped.details);
      return false;
    }
  }
}
