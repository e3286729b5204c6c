/**
 * Header names and raw values in the order in which they were written; a name may occur more than once.
 * Names are compared byte for byte (case matters).
 */
export type HeaderList = readonly (readonly [name: string, value: Uint8Array])[];

/** One message as bytes, ready to be handed to a transport. */
export interface OutgoingMessage {
  readonly topic: string;
  /** Decides the partition; `null` lets the transport spread messages. */
  readonly key: Uint8Array | null;
  /** `null` is a tombstone: the marker that deletes a key in a compacted topic. */
  readonly value: Uint8Array | null;
  readonly headers: HeaderList;
  /** Milliseconds since the Unix epoch; the transport's clock when absent. */
  readonly timestampMs?: number;
  /** A partition chosen by the caller; the transport hashes the key when absent. */
  readonly partition?: number;
}

/**
 * One message as it was read from a transport.
 *
 * Any field may be a getter that decodes on first use, and `key`, `value` and header values may be views into a
 * larger fetched buffer: copy what outlives the handler (`copyBytes` in `@bus/core`).
 */
export interface IncomingMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the Unix epoch, as stored by the broker. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: HeaderList;
}

/** Where the broker stored a published message. */
export interface PublishReceipt {
  readonly topic: string;
  readonly partition: number;
  /** `undefined` only when the transport was told not to wait for an answer (Kafka `acks=0`). */
  readonly offset: bigint | undefined;
}

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}
