import type { DeliveryOwner, OwnedDelivery, RecordWalk } from "../kafka-driver.ts";
import type { FetchedRecordBatch } from "./fetched-record-batch.ts";
import { KafkajsDelivery } from "./kafkajs-delivery.ts";
import type { RecordCursor } from "./record-batch-reader.ts";

/** Walks the visible records of the record batches that one fetch brought for one partition. */
export class RecordBatchWalk implements RecordWalk {
  offset = -1;
  sizeBytes = 0;
  readonly #batches: readonly FetchedRecordBatch[];
  #nextBatch = 0;
  #cursor: RecordCursor | undefined;

  /** @throws BusTransportError `BUS_CORRUPT` when the first record cannot be read. */
  constructor(batches: readonly FetchedRecordBatch[]) {
    this.#batches = batches;
    this.next();
  }

  next(): void {
    this.offset = -1;
    for (let cursor = this.#cursor ?? this.#open(); cursor !== undefined; cursor = this.#open()) {
      if (!cursor.next()) continue;
      this.offset = cursor.batch.header.baseOffset + cursor.offsetDelta;
      this.sizeBytes = cursor.sizeBytes;
      return;
    }
  }

  deliver(owner: DeliveryOwner, ticket: number): OwnedDelivery {
    if (this.#cursor === undefined) throw new RangeError("the walk does not stand at a record");
    return new KafkajsDelivery(this.#cursor, owner, ticket);
  }

  #open(): RecordCursor | undefined {
    this.#cursor = undefined;
    while (this.#nextBatch < this.#batches.length) {
      const batch = this.#batches[this.#nextBatch++];
      if (batch !== undefined && !batch.isControlRecord) return (this.#cursor = batch.cursor());
    }
    return undefined;
  }
}
