/** One transmission: a message, or a question about one. The connection reads it and keeps nothing of it but the bytes. */
export interface OutgoingFrame {
  readonly subject: string;
  /** The NATS header block, `NATS/1.0` to the empty line. */
  readonly headerBlock: Uint8Array;
  readonly payload: Uint8Array;
  /** Comes back with the answer. */
  readonly ticket: number;
}

/** Where answers to transmissions go. Both ignore tickets that nobody waits for any more. */
export interface PublishAnswers {
  /** The stream answered: its acknowledgement or its error, JSON. */
  answered(ticket: number, answer: Uint8Array): void;
  /** Nobody listens on the subject now (status 503): no stream took the message. */
  noResponders(ticket: number): void;
}

/**
 * A connection as the publish pipeline sees it: transmissions go out in order, answers come in on one inbox of its own.
 * It does not retry, and what it had buffered when the connection broke is gone.
 */
export interface PublishPort {
  /** Bytes that header block and payload of one message may have together. (server `max_payload`) */
  readonly maxPayloadBytes: number;
  /** Route answers from now on, across reconnects. Called once, before the first `send`. */
  listen(answers: PublishAnswers): void;
  /** @throws when the connection takes nothing now; then nothing was sent. */
  send(frame: OutgoingFrame): void;
  /** Stop listening. */
  close(): void;
}
