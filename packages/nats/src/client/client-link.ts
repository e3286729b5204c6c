import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { createInbox, Events } from "nats";
import type { Msg, MsgHdrs, NatsConnection, Subscription } from "nats";
import { PendingRequests } from "./pending-requests.ts";
import type {
  LinkListener,
  LinkMessage,
  LinkPublishOptions,
  LinkSubscription,
  NatsLink,
} from "./nats-link.ts";

/** How long closing waits until the server has read what was sent. */
const LAST_FLUSH_MS = 2_000;

/** What a link needs. */
export interface ClientLinkParts {
  readonly clock: Clock;
  /** Open a connection. Errors are `BusError`s. */
  readonly open: () => Promise<NatsConnection>;
  /** The connection is over for good although nobody closed it; called with the reason. */
  readonly onGone: (error: unknown) => void;
  /** Whether `close` closes the connection, or leaves it to whoever gave it. */
  readonly isOwner: boolean;
}

interface Subscribed {
  readonly subject: string;
  readonly onMessage: (message: LinkMessage) => void;
  readonly queue: string | undefined;
  live: Subscription | undefined;
}

/** The link over the `nats` client. Subscriptions outlive connections, also those that the client gives up. */
export class ClientLink implements NatsLink {
  readonly #parts: ClientLinkParts;
  readonly #subscriptions = new Set<Subscribed>();
  readonly #listeners = new Set<LinkListener>();
  readonly #requests: PendingRequests;
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #isClosed = false;

  constructor(parts: ClientLinkParts) {
    this.#parts = parts;
    this.#requests = new PendingRequests(parts.clock, this, createInbox());
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get maxPayloadBytes(): number {
    return this.#connection?.info?.max_payload ?? 1_048_576;
  }

  get serverVersion(): string {
    return this.#connection?.info?.version ?? "";
  }

  /** Connect, once more after `onGone`. @throws BusError of `open`. */
  async open(): Promise<void> {
    const connection = await this.#parts.open();
    if (this.#isClosed) return await connection.close();
    this.#connection = connection;
    for (const subscribed of this.#subscriptions) this.#goLive(subscribed, connection);
    void this.#follow(connection);
    this.#nowConnected();
  }

  publish(subject: string, data: Uint8Array, options?: LinkPublishOptions): void {
    const connection = this.#connection;
    if (connection === undefined || !this.#isConnected) return;
    const { reply, headerBytes } = options ?? {};
    connection.publish(subject, data, {
      ...(reply === undefined ? {} : { reply }),
      ...(headerBytes === undefined ? {} : { headers: encodedHeaders(headerBytes) }),
    });
  }

  request(...request: Parameters<NatsLink["request"]>): Promise<LinkMessage> {
    return this.#requests.request(...request);
  }

  subscribe(
    subject: string,
    onMessage: (message: LinkMessage) => void,
    options: { readonly queue?: string } = {},
  ): LinkSubscription {
    const subscribed: Subscribed = { subject, onMessage, queue: options.queue, live: undefined };
    this.#subscriptions.add(subscribed);
    if (this.#connection !== undefined) this.#goLive(subscribed, this.#connection);
    const end = (): boolean =>
      this.#subscriptions.delete(subscribed) && this.#connection?.isClosed() === false;
    return {
      unsubscribe: () => {
        if (end()) subscribed.live?.unsubscribe();
      },
      drain: async () => {
        // What a lost connection had on its way does not come any more.
        if (end()) await subscribed.live?.drain().catch(() => undefined);
      },
    };
  }

  createInbox(): string {
    return createInbox();
  }

  async flush(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || !this.#isConnected) throw notConnected();
    try {
      await connection.flush();
    } catch (error) {
      throw new BusTransportError("BUS_TRANSPORT", "the connection was lost while it was flushed", {
        cause: error,
      });
    }
  }

  listen(listener: LinkListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Send what is buffered and end the connection. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const connection = this.#connection;
    if (connection !== undefined && this.#isConnected) {
      const flushed = new AbortController();
      const late = new Promise<void>((resolve) => {
        const cancel = this.#parts.clock.schedule(resolve, LAST_FLUSH_MS);
        flushed.signal.addEventListener("abort", () => cancel());
      });
      // Nothing that was confirmed depends on this flush.
      await Promise.race([connection.flush().catch(() => undefined), late]);
      flushed.abort();
    }
    this.#isConnected = false;
    this.#requests.close();
    for (const { live } of this.#subscriptions)
      if (connection?.isClosed() === false) live?.unsubscribe();
    this.#subscriptions.clear();
    if (this.#parts.isOwner) await connection?.close();
  }

  #goLive(subscribed: Subscribed, connection: NatsConnection): void {
    const { subject, onMessage, queue } = subscribed;
    subscribed.live = connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) onMessage(new ClientMessage(message));
      },
    });
  }

  async #follow(connection: NatsConnection): Promise<void> {
    void connection.closed().then((error) => {
      if (this.#connection !== connection || this.#isClosed) return;
      this.#nowDisconnected(error);
      this.#parts.onGone(error);
    });
    for await (const { type, data, permissionContext } of connection.status()) {
      if (this.#isClosed || this.#connection !== connection) return;
      if (type === Events.Error && permissionContext?.operation === "publish")
        for (const listener of this.#listeners)
          listener.publishRefused?.(permissionContext.subject);
      if (type === Events.Disconnect)
        this.#nowDisconnected(
          new BusTransportError(
            "BUS_TRANSPORT",
            `the connection to ${typeof data === "string" ? data : "the server"} was lost`,
          ),
        );
      if (type === Events.Reconnect) this.#nowConnected();
    }
  }

  #nowConnected(): void {
    this.#isConnected = true;
    for (const listener of this.#listeners) listener.connected();
  }

  #nowDisconnected(error: unknown): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#requests.disconnected();
    for (const listener of this.#listeners) listener.disconnected(error);
  }
}

/** What the client keeps of a message beside its public face: the header block unparsed. */
interface ClientInternals {
  readonly _msg?: { readonly hdr?: number };
  readonly _rdata?: Uint8Array;
}

class ClientMessage implements LinkMessage {
  readonly #message: Msg;

  constructor(message: Msg) {
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get reply(): string {
    return this.#message.reply ?? "";
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  get headerBytes(): Uint8Array | undefined {
    // Parsing headers costs more than everything else about a message, and most readers want one of them.
    const { _msg: parsed, _rdata: bytes } = this.#message as Msg & ClientInternals;
    if (parsed?.hdr === undefined || bytes === undefined)
      throw new TypeError("not a message of the nats client 2.29");
    return parsed.hdr > 0 ? bytes.subarray(0, parsed.hdr) : undefined;
  }
}

/** The client asks headers for nothing but their bytes when it sends them. */
function encodedHeaders(bytes: Uint8Array): MsgHdrs {
  // A complete MsgHdrs would have to be parsed out of the bytes only to be encoded again.
  return { encode: () => bytes } as never;
}

function notConnected(): BusTransportError {
  return new BusTransportError("BUS_TRANSPORT", "there is no connection to a nats server", {
    details: { reason: "disconnected" },
  });
}
