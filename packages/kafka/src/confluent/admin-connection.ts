import { BusClosedError, BusTransportError } from "@bus/core";
import type { BusError, TransportHost } from "@bus/core";
import type { DriverOptions } from "../driver-options.ts";
import { callNative } from "./call-native.ts";
import { ClientEvents } from "./client-events.ts";
import type { ConnectionListener } from "./client-events.ts";
import type { ConfluentModule, NativeAdmin, NativeCallback } from "./confluent-client-types.ts";
import { adminProperties } from "./confluent-config.ts";
import { mapConfluentError } from "./map-confluent-error.ts";
import { nativeProperties } from "./native-properties.ts";

/** Longest that one look at the cluster takes: then a refusal found in the log, or a close, can end the rest. */
const SLICE_MS = 250;

/** What an admin connection needs. */
export interface AdminConnectionParts {
  readonly module: ConfluentModule;
  readonly options: DriverOptions;
  readonly host: TransportHost;
  readonly listener: ConnectionListener;
}

/**
 * The client that asks questions. It is there before all others: consumers and producers connect after it, so wrong
 * credentials are found here, within a second, and not by their time-outs.
 *
 * Calls run one at a time: each holds one of the few threads that Node keeps for such work, and the client's own lock.
 */
export class AdminConnection {
  readonly #parts: AdminConnectionParts;
  #client: NativeAdmin | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(parts: AdminConnectionParts) {
    this.#parts = parts;
  }

  /** Reach a broker; idempotent. @throws BusTransportError `BUS_AUTHENTICATION`, or `BUS_CONNECT` after `net.dialTimeoutMs`. */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#client === undefined) await this.#open();
    });
  }

  /** One round trip. @throws BusTransportError. */
  ping(timeoutMs: number): Promise<void> {
    const doing = "asking the cluster for a sign of life";
    return this.#inTurn(async () => {
      const client = this.#client;
      if (client === undefined) throw this.#noConnection(doing);
      try {
        await this.#reach(client, timeoutMs, () => false);
      } catch (error) {
        throw mapConfluentError(error, { doing });
      }
    });
  }

  /**
   * Ask something.
   *
   * @param doing - Start of the message of errors.
   * @throws BusTransportError
   */
  ask<TAnswer>(
    doing: string,
    question: (client: NativeAdmin, callback: NativeCallback<TAnswer>) => unknown,
  ): Promise<TAnswer> {
    return this.#inTurn(async () => {
      const client = this.#client;
      if (client === undefined) throw this.#noConnection(doing);
      try {
        return await callNative<TAnswer>((callback) => question(client, callback));
      } catch (error) {
        throw mapConfluentError(error, { doing });
      }
    });
  }

  /** Disconnect once what is being asked is answered. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
    const client = this.#client;
    this.#client = undefined;
    client?.disconnect();
    client?.removeAllListeners();
  }

  async #open(): Promise<void> {
    const { module, options, host, listener } = this.#parts;
    const { brokers, net } = options;
    const doing = `connecting to ${brokers.join(", ")}`;
    const events = new ClientEvents({
      logger: host.logger,
      listener: this.#onceOpen(listener),
      doing,
    });
    const properties = nativeProperties(adminProperties(options), options, host.clock);
    const client = module.AdminClient.create(properties, events.listeners);
    try {
      await this.#reach(client, net.dialTimeoutMs, () => events.refusal !== undefined);
    } catch (error) {
      client.disconnect();
      client.removeAllListeners();
      throw events.refusal ?? connectError(doing, events, error);
    }
    this.#client = client;
  }

  /** One round trip to a broker, as a row of short questions: the last one must have ended before the client is closed. */
  async #reach(client: NativeAdmin, timeoutMs: number, isVain: () => boolean): Promise<void> {
    const { clock } = this.#parts.host;
    const deadlineAtMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const leftMs = deadlineAtMs - clock.monotonicMs();
      const timeout = Math.max(1, Math.min(SLICE_MS, Math.ceil(leftMs)));
      try {
        await callNative((callback) => client.getMetadata({ allTopics: false, timeout }, callback));
        return;
      } catch (error) {
        if (leftMs <= SLICE_MS || this.#isClosed || isVain()) throw error;
      }
    }
  }

  /** While it opens, `open` itself tells what is wrong. */
  #onceOpen(listener: ConnectionListener): ConnectionListener {
    return {
      allDown: (error) => this.#client !== undefined && listener.allDown(error),
      refused: (error) => this.#client !== undefined && listener.refused(error),
    };
  }

  #inTurn<TAnswer>(ask: () => Promise<TAnswer>): Promise<TAnswer> {
    if (this.#isClosed) return Promise.reject(new BusClosedError("the kafka driver is closed"));
    const answer = this.#last.then(ask);
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  #noConnection(doing: string): BusError {
    return new BusTransportError("BUS_CONNECT", `${doing} failed: there is no connection yet`);
  }
}

function connectError(doing: string, events: ClientEvents, cause: unknown): BusError {
  const reason = events.lastFailure ?? "no broker answered";
  return new BusTransportError("BUS_CONNECT", `${doing} failed: ${reason}`, { cause });
}
