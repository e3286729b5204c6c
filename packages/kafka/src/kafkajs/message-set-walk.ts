import type { HeaderList, Settlement, TopicPartition } from "@bus/core";
import type { DeliveryOwner, OwnedDelivery, RecordWalk } from "../kafka-driver.ts";

const NO_HEADERS: HeaderList = Object.freeze([]);

/** A message of format 0 or 1 as kafkajs decodes it. */
interface OldMessage {
  readonly offset: string;
  readonly timestamp?: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/**
 * Walks messages that kafkajs itself has decoded, which it does for topics that hold messages in a format older than
 * Kafka 0.11. They have no headers and know no transactions.
 */
export function messageSetWalk(where: TopicPartition, messages: readonly unknown[]): RecordWalk {
  return new MessageSetWalk(where, messages.filter(isOldMessage));
}

class MessageSetWalk implements RecordWalk {
  readonly #where: TopicPartition;
  readonly #messages: readonly OldMessage[];
  #index = 0;

  constructor(where: TopicPartition, messages: readonly OldMessage[]) {
    this.#where = where;
    this.#messages = messages;
  }

  get offset(): number {
    const message = this.#messages[this.#index];
    return message === undefined ? -1 : Number(message.offset);
  }

  get sizeBytes(): number {
    const message = this.#messages[this.#index];
    return (message?.key?.length ?? 0) + (message?.value?.length ?? 0);
  }

  next(): void {
    this.#index += 1;
  }

  deliver(owner: DeliveryOwner, ticket: number): OwnedDelivery {
    const message = this.#messages[this.#index];
    if (message === undefined) throw new RangeError("the walk does not stand at a message");
    return new OldMessageDelivery(
      { ...this.#where, message, sizeBytes: this.sizeBytes },
      owner,
      ticket,
    );
  }
}

interface PlacedMessage extends TopicPartition {
  readonly message: OldMessage;
  readonly sizeBytes: number;
}

class OldMessageDelivery implements OwnedDelivery {
  ticket: number;
  readonly headers: HeaderList = NO_HEADERS;
  readonly attempt = 1;
  readonly #placed: PlacedMessage;
  #owner: DeliveryOwner;

  constructor(placed: PlacedMessage, owner: DeliveryOwner, ticket: number) {
    this.#placed = placed;
    this.#owner = owner;
    this.ticket = ticket;
  }

  get topic(): string {
    return this.#placed.topic;
  }

  get partition(): number {
    return this.#placed.partition;
  }

  get sizeBytes(): number {
    return this.#placed.sizeBytes;
  }

  get offset(): bigint {
    return BigInt(this.#placed.message.offset);
  }

  /** Format 0 has no timestamps: −1. */
  get timestampMs(): number {
    return Number(this.#placed.message.timestamp ?? -1);
  }

  get key(): Uint8Array | null {
    return this.#placed.message.key;
  }

  get value(): Uint8Array | null {
    return this.#placed.message.value;
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

  again(owner: DeliveryOwner, ticket: number): OwnedDelivery {
    return new OldMessageDelivery(this.#placed, owner, ticket);
  }
}

function isOldMessage(value: unknown): value is OldMessage {
  if (typeof value !== "object" || value === null || !("offset" in value)) return false;
  return typeof value.offset === "string" && "key" in value && "value" in value;
}
