import { BusTransportError } from "@bus/core";
import type { BusError, Logger } from "@bus/core";
import { credentialsError } from "../map-kafka-error.ts";
import type { NativeClient, NativeListeners } from "./confluent-client-types.ts";
import { refusalInLog } from "./map-confluent-error.ts";

const ALL_DOWN = "all broker connections are down";

/** Hears of trouble with connections, from every client of a driver. */
export interface ConnectionListener {
  /** A client has no connection left. Called again and again while that lasts. */
  allDown(error: BusError): void;
  /** The cluster refuses credentials or certificate. */
  refused(error: BusError): void;
}

/** What the events of one client need. */
export interface ClientEventsParts {
  readonly logger: Logger;
  readonly listener: ConnectionListener;
  /** Start of the message of errors: `connecting to …`. */
  readonly doing: string;
}

/** Log and errors that a client reports beside its calls: often the only place that tells why a call fails. */
export class ClientEvents {
  readonly #parts: ClientEventsParts;
  #refusal: BusError | undefined;
  #lastFailure: string | undefined;
  #fatalReason: string | undefined;

  constructor(parts: ClientEventsParts) {
    this.#parts = parts;
  }

  /** Why the cluster refuses this client, when that was said. */
  get refusal(): BusError | undefined {
    return this.#refusal;
  }

  /** The last line of the log about a failed connection. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** Why the client has given up for good, when it has. */
  get fatalReason(): string | undefined {
    return this.#fatalReason;
  }

  /** For a client that is created with its listeners. */
  get listeners(): Pick<NativeListeners, "error" | "event.error" | "event.log"> {
    return {
      error: (error) => this.#failed(error),
      "event.error": (error) => this.#reported(error),
      "event.log": (log) => this.#logged(log),
    };
  }

  attach(client: NativeClient): void {
    const { error, "event.error": reported, "event.log": logged } = this.listeners;
    client.on("error", error);
    client.on("event.error", reported);
    client.on("event.log", logged);
  }

  #logged: NativeListeners["event.log"] = ({ fac, severity, message }) => {
    this.#parts.logger.debug(`librdkafka: ${message}`, { fac, severity });
    if (fac === "FATAL") this.#fatalReason ??= withoutThread(message);
    if (fac !== "FAIL") return;
    this.#lastFailure = withoutThread(message);
    this.#refuse(refusalInLog(message, this.#parts.doing));
  };

  #reported: NativeListeners["event.error"] = (error) => {
    this.#parts.logger.debug(`librdkafka: ${error.message}`, { code: error.code });
    if (error.message !== ALL_DOWN) return;
    const reason = this.#lastFailure ?? ALL_DOWN;
    const message = `${this.#parts.doing} failed: ${reason}`;
    this.#parts.listener.allDown(
      this.#refusal ?? new BusTransportError("BUS_CONNECT", message, { cause: error }),
    );
  };

  /** Only the look-up of a token for OAUTHBEARER ends here. */
  #failed(cause: Error): void {
    this.#refuse(credentialsError({ doing: this.#parts.doing, cause }));
  }

  #refuse(error: BusError | undefined): void {
    if (error === undefined) return;
    this.#refusal = error;
    this.#parts.listener.refused(error);
  }
}

function withoutThread(message: string): string {
  return message.replace(/^\[thrd:[^\]]*\]: /u, "");
}
