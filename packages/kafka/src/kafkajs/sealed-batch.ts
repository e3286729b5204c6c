import type { BusError, TopicPartition } from "@bus/core";
import type { OutgoingRecord } from "../kafka-driver.ts";
import type { ProducerIdentity } from "./produce-request.ts";

/** Who a batch says that it is from, and which of its messages it holds. */
export interface BatchStamp {
  readonly identity: ProducerIdentity;
  /** Sequence number of the batch's first record in its partition. */
  readonly baseSequence: number;
}

/** Records of one partition that go to the broker together, until all of them have an outcome. */
export class SealedBatch implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutgoingRecord[];
  /** Times that it was sent. */
  attempts = 0;
  /** The broker may have it: it was sent, and no answer said that it was not stored. */
  isPerhapsStored = false;
  /** Of an idempotent producer; the same at every retry, by which the broker knows a batch that it has. */
  stamp: BatchStamp | undefined;
  /** As it went over the wire. */
  encoded: Buffer | undefined;
  #firstOpen = 0;

  constructor(where: TopicPartition, records: readonly OutgoingRecord[]) {
    this.topic = where.topic;
    this.partition = where.partition;
    this.records = records;
  }

  /** Whether no record waits for an outcome any more. */
  get isSettled(): boolean {
    return this.#firstOpen === this.records.length;
  }

  /** When the first record without an outcome must have one, in `Clock.monotonicMs`. */
  get deadlineAtMs(): number {
    return this.records[this.#firstOpen]?.deadlineAtMs ?? Infinity;
  }

  /** Whether a record has been told that its deadline has passed: then the batch must not be sent again. */
  get isExpired(): boolean {
    return this.#firstOpen > 0;
  }

  /** The broker has it. `baseOffset`: undefined when nobody was asked, or nobody knows. */
  stored(baseOffset: number | undefined): void {
    for (let index = this.#firstOpen; index < this.records.length; index += 1) {
      this.records[index]?.stored(baseOffset === undefined ? undefined : baseOffset + index);
    }
    this.#firstOpen = this.records.length;
  }

  /** It did not get there, or nobody knows. */
  failed(error: BusError): void {
    while (!this.isSettled) this.#failNext(error);
  }

  /** Fail records whose deadline has passed. */
  expire(nowMs: number, error: () => BusError): void {
    while (!this.isSettled && this.deadlineAtMs <= nowMs) this.#failNext(error());
  }

  #failNext(error: BusError): void {
    const record = this.records[this.#firstOpen];
    this.#firstOpen += 1;
    record?.failed(error);
  }
}
