import type { OutgoingMessage, Transport } from "@bus/core";
import type { LedgerEntry } from "../ledger-finding.ts";
import type { Ledger } from "../ledger.ts";

/** Messages that carry their own number: `keys` keys, each with the numbers `from` to `from + perKey − 1`. */
export interface NumberedMessages {
  readonly topic: string;
  readonly keys: number;
  readonly perKey: number;
  /** @defaultValue 0 */
  readonly from?: number;
  /** Bytes of each value, at least those of its number. @defaultValue as few as possible */
  readonly sizeBytes?: number;
}

const PER_CALL = 500;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes as text; empty for none. */
export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "" : decoder.decode(bytes);
}

/** The messages, keys interleaved: number 0 of every key, then number 1, … */
export function numberedMessages(spec: NumberedMessages): readonly OutgoingMessage[] {
  const { topic, keys, perKey, from = 0, sizeBytes = 0 } = spec;
  return Array.from({ length: keys * perKey }, (_, index) => {
    const sequence = from + Math.floor(index / keys);
    const value = bytesOf(`${sequence} `.padEnd(sizeBytes, "."));
    return { topic, key: bytesOf(`key-${index % keys}`), value, headers: [] };
  });
}

/** Which message this is, read from its own bytes. */
export function entryOf(message: {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}): LedgerEntry {
  return {
    topic: message.topic,
    key: textOf(message.key),
    sequence: Number.parseInt(textOf(message.value), 10),
  };
}

/** Publish numbered messages in order and enter them in every ledger once they are accepted. */
export async function publishNumbered(
  transport: Transport,
  spec: NumberedMessages,
  ledgers: readonly Ledger[] = [],
): Promise<void> {
  const messages = numberedMessages(spec);
  for (let start = 0; start < messages.length; start += PER_CALL) {
    const batch = messages.slice(start, start + PER_CALL);
    await transport.publish(batch);
    for (const message of batch) for (const ledger of ledgers) ledger.published(entryOf(message));
  }
}

/** The number of a message in a handler. */
export function sequenceOf(message: { readonly value: Uint8Array | null }): number {
  return Number.parseInt(textOf(message.value), 10);
}
