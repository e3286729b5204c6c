import type { BusError, TopicPartition } from "@bus/core";
import type { OutgoingRecord } from "../kafka-driver.ts";
import type { ProducerIdentity } from "./produce-request.ts";
import { SealedBatch } from "./sealed-batch.ts";

/** When a batch is closed. */
export interface BatchLimits {
  readonly maxMessages: number;
  /** Of the batch as it is written, before compression. */
  readonly maxBytes: number;
}

/** Consumed slots at which the array of waiting records is cut. */
const COMPACT_AT = 1_024;

/** What a record of a batch takes up at most beside its key, value and headers: lengths, attributes, deltas. */
const RECORD_FRAME_BYTES = 28;
const HEADER_FRAME_BYTES = 6;
const BATCH_FRAME_BYTES = 61;

/**
 * What waits for one partition: a batch that must be sent (again) first, then records that have not been sent yet.
 *
 * A batch is closed when it is taken, so it holds all that has gathered while the one before was on its way. There is
 * never more than one on its way.
 */
export class PartitionQueue implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** On its way to the broker. */
  inFlight: SealedBatch | undefined;
  /** To be sent again before anything else. */
  retry: SealedBatch | undefined;
  /** Nothing is sent earlier, in `Clock.monotonicMs`. */
  notBeforeMs = 0;
  /** Until when waiting records wait for more, in `Clock.monotonicMs`. */
  lingerUntilMs = 0;
  /** The producer that the broker knows this partition's records from. */
  identity: ProducerIdentity | undefined;
  nextSequence = 0;
  /** The one before, which the broker disowned or which lost count: not to be used again. */
  retiredIdentity: ProducerIdentity | undefined;
  readonly #limits: BatchLimits;
  #records: OutgoingRecord[] = [];
  #head = 0;
  #bytes = BATCH_FRAME_BYTES;
  // Records at the front that came back because their batch was too large, and how many may go together now.
  #splitRecords = 0;
  #splitTo = 0;

  constructor({ topic, partition }: TopicPartition, limits: BatchLimits) {
    this.topic = topic;
    this.partition = partition;
    this.#limits = limits;
  }

  /** Records that have not been sent yet. */
  get waiting(): number {
    return this.#records.length - this.#head;
  }

  get isEmpty(): boolean {
    return this.waiting === 0 && this.retry === undefined && this.inFlight === undefined;
  }

  /** Whether waiting records fill a batch. */
  get isFull(): boolean {
    return this.waiting >= this.#limits.maxMessages || this.#bytes >= this.#limits.maxBytes;
  }

  /** When something may be sent, in `Clock.monotonicMs`; `Infinity` while nothing waits or a batch is on its way. */
  get readyAtMs(): number {
    if (this.inFlight !== undefined) return Infinity;
    if (this.retry !== undefined || this.isFull) return this.notBeforeMs;
    return this.waiting === 0 ? Infinity : Math.max(this.notBeforeMs, this.lingerUntilMs);
  }

  add(record: OutgoingRecord): void {
    this.#records.push(record);
    this.#bytes += writtenBytes(record);
  }

  /** Take what is to be sent; it is in flight until `inFlight` is cleared. Only when ready. */
  take(): SealedBatch {
    const batch = this.retry ?? this.#seal();
    this.retry = undefined;
    this.inFlight = batch;
    return batch;
  }

  /** Put the records of a batch that is too large back to the front, to be sent in halves. */
  split(batch: SealedBatch): void {
    this.#records = [...batch.records, ...this.#records.slice(this.#head)];
    this.#head = 0;
    this.#bytes += batch.records.reduce((sum, record) => sum + writtenBytes(record), 0);
    this.#splitRecords += batch.records.length;
    this.#splitTo = Math.max(Math.ceil(batch.records.length / 2), 1);
    this.lingerUntilMs = 0;
  }

  /** Fail waiting records whose deadline has passed. @returns How many. */
  expireWaiting(nowMs: number, error: () => BusError): number {
    let expired = 0;
    for (
      let record = this.#records[this.#head];
      record !== undefined;
      record = this.#records[this.#head]
    ) {
      if (record.deadlineAtMs > nowMs) break;
      this.#drop(1, writtenBytes(record));
      record.failed(error());
      expired += 1;
    }
    return expired;
  }

  #seal(): SealedBatch {
    const most =
      this.#splitRecords > 0
        ? Math.min(this.#splitTo, this.#splitRecords)
        : this.#limits.maxMessages;
    const records: OutgoingRecord[] = [];
    let bytes = BATCH_FRAME_BYTES;
    for (
      let record = this.#records[this.#head];
      record !== undefined;
      record = this.#records[this.#head + records.length]
    ) {
      const more = writtenBytes(record);
      if (records.length === most || (records.length > 0 && bytes + more > this.#limits.maxBytes))
        break;
      records.push(record);
      bytes += more;
    }
    this.#drop(records.length, bytes - BATCH_FRAME_BYTES);
    return new SealedBatch(this, records);
  }

  #drop(count: number, bytes: number): void {
    this.#head += count;
    this.#bytes -= bytes;
    this.#splitRecords = Math.max(this.#splitRecords - count, 0);
    if (this.#head === this.#records.length) {
      this.#records = [];
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
  }
}

function writtenBytes(record: OutgoingRecord): number {
  return record.sizeBytes + RECORD_FRAME_BYTES + HEADER_FRAME_BYTES * record.headers.length;
}
