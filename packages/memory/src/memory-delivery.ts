import type { Delivery, HeaderList, Settlement } from "@bus/core";
import type { StoredMessage } from "./partition-log.ts";

/** The ownership of a partition under which messages are delivered: what their deliveries share. */
export interface DeliveryOwner {
  readonly topic: string;
  readonly partition: number;
  readonly draining: AbortSignal;
  readonly signal: AbortSignal;
  settled(delivery: MemoryDelivery, settlement: Settlement): void;
}

/** What one delivery has for itself. */
export interface DeliveryTicket {
  readonly stored: StoredMessage;
  readonly ticket: number;
  readonly attempt: number;
}

/** One delivery. Everything but its state is read through from the log and the owner, so that making one costs little. */
export class MemoryDelivery implements Delivery, DeliveryTicket {
  readonly stored: StoredMessage;
  readonly ticket: number;
  readonly attempt: number;
  readonly #owner: DeliveryOwner;
  #isSettled = false;

  constructor(owner: DeliveryOwner, { stored, ticket, attempt }: DeliveryTicket) {
    this.#owner = owner;
    this.stored = stored;
    this.ticket = ticket;
    this.attempt = attempt;
  }

  get topic(): string {
    return this.#owner.topic;
  }

  get partition(): number {
    return this.#owner.partition;
  }

  get offset(): bigint {
    return BigInt(this.stored.offset);
  }

  get timestampMs(): number {
    return this.stored.timestampMs;
  }

  get key(): Uint8Array | null {
    return this.stored.key;
  }

  get value(): Uint8Array | null {
    return this.stored.value;
  }

  get headers(): HeaderList {
    return this.stored.headers;
  }

  get sizeBytes(): number {
    return this.stored.sizeBytes;
  }

  get draining(): AbortSignal {
    return this.#owner.draining;
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  settle(settlement: Settlement): void {
    if (this.#isSettled) {
      throw new TypeError(
        `delivery of ${this.topic}/${this.partition} at offset ${this.stored.offset} is settled already`,
      );
    }
    this.#isSettled = true;
    this.#owner.settled(this, settlement);
  }
}
