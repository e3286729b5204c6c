import type { Delivery, HeaderList, Settlement } from "@bus/core";
import type { LinkMessage } from "../client/nats-link.ts";
import { decodeHeaderBlock } from "../publish/header-block.ts";
import type { DecodedHeaderBlock } from "../publish/header-block.ts";
import type { AckReply } from "./ack-reply.ts";
import type { Ownership } from "./ownership.ts";

const TIMESTAMP_HEADER = Buffer.from("Bus-Timestamp: ");

/** A message that has come, before it is handed over. */
export interface ReceivedMessage {
  readonly message: LinkMessage;
  readonly ack: AckReply;
  /** The subject on which it is acknowledged. */
  readonly reply: string;
  readonly sizeBytes: number;
}

/** Note a message as it comes in. */
export function receivedMessage(
  message: LinkMessage,
  reply: string,
  ack: AckReply,
): ReceivedMessage {
  const sizeBytes = message.data.length + (message.headerBytes?.length ?? 0);
  return { message, reply, ack, sizeBytes };
}

/** One delivery. Key, headers and times are read out of the header block when they are asked for. */
export class NatsDelivery implements Delivery {
  readonly attempt: number;
  readonly sizeBytes: number;
  /** Place in the stream. */
  readonly sequence: number;
  /** When it was handed over, on the monotonic clock. */
  readonly madeAtMs: number;
  /** The number that the tracker of its partition gave it; −1 without one. */
  readonly ticket: number;
  /** The subject on which it is acknowledged now. */
  reply: string;
  /** The incarnation of the consumer to which `reply` belongs. */
  incarnation: number;
  isSettled = false;
  readonly #owner: Ownership;
  readonly #message: LinkMessage;
  readonly #storedAtMs: number;
  #headers: DecodedHeaderBlock | undefined;

  constructor(owner: Ownership, received: ReceivedMessage, parts: DeliveryParts) {
    this.#owner = owner;
    this.#message = received.message;
    this.#storedAtMs = received.ack.timestampMs;
    this.reply = received.reply;
    this.sequence = received.ack.streamSequence;
    this.sizeBytes = received.sizeBytes;
    this.attempt = parts.attempt;
    this.ticket = parts.ticket;
    this.madeAtMs = parts.madeAtMs;
    this.incarnation = parts.incarnation;
  }

  /** The same message once more, for another owner. */
  again(owner: Ownership, madeAtMs: number): NatsDelivery {
    const { reply, sizeBytes, sequence: streamSequence } = this;
    const ack = {
      streamSequence,
      timestampMs: this.#storedAtMs,
      deliveries: 1,
      consumerSequence: 0,
    };
    return new NatsDelivery(
      owner,
      { message: this.#message, reply, sizeBytes, ack },
      { attempt: this.attempt, ticket: this.ticket, incarnation: this.incarnation, madeAtMs },
    );
  }

  get topic(): string {
    return this.#owner.topic;
  }

  get partition(): number {
    return this.#owner.partition;
  }

  get offset(): bigint {
    return BigInt(this.sequence);
  }

  get timestampMs(): number {
    const block = this.#message.headerBytes;
    if (block === undefined) return this.#storedAtMs;
    const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
    if (bytes.indexOf(TIMESTAMP_HEADER) < 0) return this.#storedAtMs;
    return this.#decoded().timestampMs ?? this.#storedAtMs;
  }

  get key(): Uint8Array | null {
    return this.#decoded().key;
  }

  get value(): Uint8Array | null {
    const { data } = this.#message;
    return data.length === 0 && this.#decoded().isTombstone ? null : data;
  }

  get headers(): HeaderList {
    return this.#decoded().headers;
  }

  get draining(): AbortSignal {
    return this.#owner.draining;
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  settle(settlement: Settlement): void {
    this.#owner.settle(this, settlement);
  }

  #decoded(): DecodedHeaderBlock {
    this.#headers ??= headersOf(this.#message);
    return this.#headers;
  }
}

/** What a delivery has beside its message. */
export interface DeliveryParts {
  readonly attempt: number;
  readonly ticket: number;
  readonly incarnation: number;
  readonly madeAtMs: number;
}

const NO_HEADERS: DecodedHeaderBlock = Object.freeze({
  headers: [],
  key: null,
  isTombstone: false,
  timestampMs: undefined,
});

function headersOf({ headerBytes }: LinkMessage): DecodedHeaderBlock {
  return headerBytes === undefined ? NO_HEADERS : decodeHeaderBlock(headerBytes);
}
