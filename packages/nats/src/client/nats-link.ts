/**
 * A message as the client received it. A view into what was read from the socket: copy what outlives the handler.
 */
export interface LinkMessage {
  readonly subject: string;
  /** Where to answer; for JetStream messages the subject of acknowledgements. */
  readonly reply: string;
  readonly data: Uint8Array;
  /** The header block as it was on the wire, from `NATS/1.0` to the empty line; `undefined` without headers. */
  readonly headerBytes: Uint8Array | undefined;
}

/** Something that was subscribed. */
export interface LinkSubscription {
  /** Idempotent. Messages that are on their way are dropped. */
  unsubscribe(): void;
  /** As `unsubscribe`, but what is on its way still comes. Resolves when nothing can come any more. */
  drain(): Promise<void>;
}

/** How a message is sent. */
export interface LinkPublishOptions {
  readonly reply?: string;
  /** A complete header block, from `NATS/1.0` to the empty line. */
  readonly headerBytes?: Uint8Array;
}

/** Hears of the connection. Every hook is called at once, in the order of things. */
export interface LinkListener {
  /** The connection is there for the first time or again: what was sent before and not answered is lost. */
  connected(): void;
  disconnected(error: unknown): void;
  /** The server does not let this user publish to a subject: what was sent there is dropped. */
  publishRefused?(subject: string): void;
}

/** Everything that @bus/nats wants from a NATS client; the rest of the package knows no client. */
export interface NatsLink {
  readonly isConnected: boolean;
  /** Largest message, headers included, that the server takes. */
  readonly maxPayloadBytes: number;
  /** Version of the server that is connected, for example "2.9.10"; empty before there was one. */
  readonly serverVersion: string;
  /** Hand a message to the socket. While there is no connection it is dropped: publish again after `connected`. */
  publish(subject: string, data: Uint8Array, options?: LinkPublishOptions): void;
  /**
   * Ask and wait for one answer.
   *
   * @throws BusTransportError `BUS_TRANSPORT` when nobody answers in time, nobody listens (`details.reason`
   *   `noResponders`), or the connection is lost meanwhile (`disconnected`).
   */
  request(
    subject: string,
    data: Uint8Array,
    timeoutMs: number,
    options?: Pick<LinkPublishOptions, "headerBytes">,
  ): Promise<LinkMessage>;
  /** Receive messages, also after reconnects. `onMessage` returns at once and never throws. */
  subscribe(
    subject: string,
    onMessage: (message: LinkMessage) => void,
    options?: { readonly queue?: string },
  ): LinkSubscription;
  /** A new subject for answers; `<inbox>.*` may be subscribed. */
  createInbox(): string;
  /** Resolves when the server has read everything sent so far. @throws BusTransportError `BUS_TRANSPORT` without a connection. */
  flush(): Promise<void>;
  /** Listen to the state of the connection; returns a function that ends it. */
  listen(listener: LinkListener): () => void;
}
