import type { IncomingMessage } from "../contracts/message.ts";

/**
 * A copy of bytes that shares no memory with them. Keys, values and header values of a message may be views into a whole
 * fetched response: a handler that keeps a small value for long keeps all of it in memory unless it keeps a copy.
 */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A copy of a message that shares no memory with the response it was fetched in. */
export function copyMessage(message: IncomingMessage): IncomingMessage {
  const { topic, partition, offset, timestampMs, key, value, headers } = message;
  return {
    topic,
    partition,
    offset,
    timestampMs,
    key: key === null ? null : copyBytes(key),
    value: value === null ? null : copyBytes(value),
    headers: headers.map(([name, bytes]) => [name, copyBytes(bytes)] as const),
  };
}
