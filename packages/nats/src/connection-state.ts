import { BusClosedError, BusError, BusTransportError } from "@bus/core";
import type { ComponentHealth, TransportHost } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { NatsConnection } from "./client/open-connection.ts";
import { ClientLink } from "./client/client-link.ts";
import { givenConnection, openConnection } from "./client/open-connection.ts";
import type { NatsLink } from "./client/nats-link.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";

/** Waits between attempts to reach a server at the start, and after the client has given up. */
const CONNECT_BACK_OFF = Object.freeze({ baseMs: 250, maxMs: 5_000, jitter: 0.2 });

/** The connection of a transport: opened within a deadline, then kept for ever. */
export class ConnectionState {
  readonly #options: ResolvedNatsOptions;
  readonly #host: TransportHost;
  readonly #link: ClientLink;
  readonly #closed = new AbortController();
  #health: ComponentHealth;
  #wasConnected = false;

  constructor(options: ResolvedNatsOptions, host: TransportHost) {
    this.#options = options;
    this.#host = host;
    this.#health = { status: "unhealthy", detail: "not connected yet", sinceMs: host.clock.now() };
    this.#link = new ClientLink({
      clock: host.clock,
      open: () => this.#open(),
      onGone: (error) => void this.#rebuild(error),
      isOwner: options.connection === undefined,
    });
    this.#link.listen({
      connected: () => this.#connected(),
      disconnected: (error) => this.#disconnected(error),
    });
  }

  get link(): NatsLink {
    return this.#link;
  }

  get health(): ComponentHealth {
    return this.#health;
  }

  /** @throws BusTransportError `BUS_AUTHENTICATION` at once, `BUS_CONNECT` after `connectTimeoutMs`. */
  async connect(): Promise<void> {
    const { clock, random } = this.#host;
    const startedMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#link.open();
      } catch (error) {
        if (!BusError.is(error) || !error.retryable) throw error;
        const delayMs = backOffMs(attempt, CONNECT_BACK_OFF, random);
        const elapsedMs = clock.monotonicMs() - startedMs;
        if (elapsedMs + delayMs > this.#options.connectTimeoutMs)
          throw unreachable(error, elapsedMs);
        this.#host.emit({ kind: "reconnecting", attempt, error });
        if (!(await wait(clock, delayMs, this.#closed.signal)))
          throw new BusClosedError("the nats transport was closed while it connected");
      }
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#link.close();
  }

  #open(): Promise<NatsConnection> {
    const { connection } = this.#options;
    return connection === undefined
      ? openConnection(this.#options, this.#host.random)
      : Promise.resolve(givenConnection(connection));
  }

  /** The client has given up: begin with another one, for as long as it takes. */
  async #rebuild(reason: unknown): Promise<void> {
    const { clock, emit, random } = this.#host;
    if (this.#options.connection !== undefined) return;
    let error = reason;
    for (let attempt = 1; !this.#closed.signal.aborted; attempt += 1) {
      emit({ kind: "reconnecting", attempt, error });
      if (!(await wait(clock, backOffMs(attempt, CONNECT_BACK_OFF, random), this.#closed.signal)))
        return;
      try {
        return await this.#link.open();
      } catch (failure) {
        error = failure;
        this.#degraded(failure);
      }
    }
  }

  #connected(): void {
    this.#wasConnected = true;
    this.#health = { status: "healthy", detail: "", sinceMs: this.#host.clock.now() };
    this.#host.emit({ kind: "connected" });
  }

  #disconnected(error: unknown): void {
    if (this.#closed.signal.aborted) return;
    this.#degraded(error);
    this.#host.emit({ kind: "disconnected", error });
  }

  #degraded(error: unknown): void {
    const detail = error instanceof Error ? error.message : "the connection was lost";
    const nowMs = this.#host.clock.now();
    const sinceMs = this.#health.status === "degraded" ? this.#health.sinceMs : nowMs;
    this.#health = { status: this.#wasConnected ? "degraded" : "unhealthy", detail, sinceMs };
  }
}

function unreachable(error: BusError, afterMs: number): BusError {
  const message = `${error.message} (gave up after ${Math.round(afterMs)} ms)`;
  return new BusTransportError("BUS_CONNECT", message, {
    details: error.details,
    cause: error.cause,
  });
}
