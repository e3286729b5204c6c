import { publishError } from "@bus/core";
import type { BusError, OutgoingMessage, PublishOutcome, PublishReceipt } from "@bus/core";
import type { OutgoingRecord } from "./kafka-driver.ts";

/** The messages of one call of `publish`, until each has an outcome. */
export class PublishCall {
  readonly receipts: Promise<readonly PublishReceipt[]>;
  readonly #resolve: (receipts: readonly PublishReceipt[]) => void;
  readonly #reject: (error: BusError) => void;
  // Made when there is something to keep: thousands of calls of one message may be open at once.
  #stored: (PublishReceipt | undefined)[] | undefined;
  #errors: Map<number, BusError> | undefined;
  #open: number;

  /** @param size - Number of messages, at least 1. */
  constructor(size: number) {
    const { promise, resolve, reject } = Promise.withResolvers<readonly PublishReceipt[]>();
    this.receipts = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#open = size;
  }

  stored(index: number, receipt: PublishReceipt): void {
    this.#stored ??= [];
    this.#stored[index] = receipt;
    this.#close();
  }

  failed(index: number, error: BusError): void {
    this.#errors ??= new Map();
    this.#errors.set(index, error);
    this.#close();
  }

  #close(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    const errors = this.#errors;
    // Every index has a receipt when none has an error.
    if (errors === undefined) this.#resolve((this.#stored ?? []) as PublishReceipt[]);
    else this.#reject(publishError(this.#outcomes(errors)));
  }

  #outcomes(errors: ReadonlyMap<number, BusError>): readonly PublishOutcome[] {
    const outcomes: PublishOutcome[] = [];
    const stored = this.#stored ?? [];
    for (let index = 0; index < stored.length || errors.has(index); index += 1) {
      const receipt = stored[index];
      const error = errors.get(index);
      if (receipt !== undefined) outcomes.push({ kind: "stored", receipt });
      else if (error !== undefined) outcomes.push({ kind: "failed", error });
    }
    return outcomes;
  }
}

/** Hears the end of a record. */
export interface RecordListener {
  /** A record will have an outcome. */
  made(): void;
  /** It has it, and takes up no room any more. */
  settled(record: PendingRecord): void;
}

/** One message of a call on its way: what drivers see of it, and where its outcome goes. One object per message. */
export class PendingRecord implements OutgoingRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: OutgoingMessage["headers"];
  readonly timestampMs: number;
  readonly sizeBytes: number;
  readonly deadlineAtMs: number;
  /** Known before the record is handed to a driver. */
  partition: number;
  /** Whether it takes up room in the buffer; written by the buffer alone. */
  isBuffered = false;
  /** Who takes it over once its partition is known; the buffer when absent. */
  readonly send: ((record: OutgoingRecord) => void) | undefined;
  readonly #call: PublishCall;
  readonly #index: number;
  readonly #listener: RecordListener;

  constructor(message: OutgoingMessage, place: RecordPlace) {
    this.topic = message.topic;
    this.key = message.key;
    this.value = message.value;
    this.headers = message.headers;
    this.timestampMs = message.timestampMs ?? place.nowMs;
    this.partition = message.partition ?? -1;
    this.sizeBytes = place.sizeBytes;
    this.deadlineAtMs = place.deadlineAtMs;
    this.send = place.send;
    this.#call = place.call;
    this.#index = place.index;
    this.#listener = place.listener;
    place.listener.made();
  }

  stored(offset: number | undefined): void {
    this.#listener.settled(this);
    const { topic, partition } = this;
    this.#call.stored(this.#index, {
      topic,
      partition,
      offset: offset === undefined ? undefined : BigInt(offset),
    });
  }

  failed(error: BusError): void {
    this.#listener.settled(this);
    this.#call.failed(this.#index, error);
  }
}

/** Where a record belongs. */
export interface RecordPlace {
  readonly call: PublishCall;
  readonly index: number;
  readonly listener: RecordListener;
  readonly send: ((record: OutgoingRecord) => void) | undefined;
  readonly sizeBytes: number;
  readonly nowMs: number;
  readonly deadlineAtMs: number;
}
