import type { Settlement } from "@bus/core";
import type { DeliveryOwner, OwnedDelivery } from "../kafka-driver.ts";
import { LazyRecord } from "./lazy-record.ts";
import type { RecordCursor } from "./record-batch-reader.ts";

/** A record and its delivery in one object. */
export class KafkajsDelivery extends LazyRecord implements OwnedDelivery {
  ticket: number;
  readonly sizeBytes: number;
  #owner: DeliveryOwner;

  constructor(cursor: RecordCursor, owner: DeliveryOwner, ticket: number) {
    super(cursor);
    this.ticket = ticket;
    this.sizeBytes = cursor.sizeBytes;
    this.#owner = owner;
  }

  get attempt(): number {
    return 1;
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
    this.#owner = owner;
    this.ticket = ticket;
    return this;
  }
}
