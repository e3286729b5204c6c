import { BusTransportError } from "@bus/core";
import type { BusError, Clock } from "@bus/core";
import type { ResolvedProducerOptions } from "./driver-options.ts";
import type { PendingRecord, RecordListener } from "./publish-call.ts";

/** How often the deadlines of waiting records are looked at. */
const SWEEP_MS = 100;
/** Consumed slots at which the array of a list is cut. */
const COMPACT_AT = 1_024;

/** What a buffer needs. */
export interface PublishBufferParts {
  readonly options: Pick<
    ResolvedProducerOptions,
    "bufferMessages" | "bufferBytes" | "onFull" | "timeoutMs"
  >;
  readonly clock: Clock;
  readonly handOver: (record: PendingRecord) => void;
}

/** Records that wait for something, in order. */
export class WaitingRecords {
  #records: PendingRecord[] = [];
  #head = 0;

  get first(): PendingRecord | undefined {
    return this.#records[this.#head];
  }

  push(record: PendingRecord): void {
    this.#records.push(record);
  }

  shift(): PendingRecord | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }

  /** Fail those whose deadline has passed. */
  expire(nowMs: number, error: (record: PendingRecord) => BusError): void {
    for (
      let { first } = this;
      first !== undefined && first.deadlineAtMs <= nowMs;
      { first } = this
    ) {
      this.shift();
      first.failed(error(first));
    }
  }
}

/**
 * Bounds what a driver has taken and not yet settled, in messages and bytes. What finds no room waits in order, or is
 * refused, as `producer.onFull` says; a record larger than the whole bound goes alone.
 */
export class PublishBuffer implements RecordListener {
  messages = 0;
  bytes = 0;
  readonly #parts: PublishBufferParts;
  readonly #waiting = new WaitingRecords();
  readonly #lists = new Set<WaitingRecords>([this.#waiting]);
  #cancelSweep: (() => void) | undefined;
  #unsettled = 0;
  #onEmpty: (() => void)[] = [];

  constructor(parts: PublishBufferParts) {
    this.#parts = parts;
  }

  /** A record has been made: it will settle, whether it gets as far as the buffer or not. */
  made(): void {
    this.#unsettled += 1;
  }

  settled(record: PendingRecord): void {
    this.#unsettled -= 1;
    if (record.isBuffered) {
      this.messages -= 1;
      this.bytes -= record.sizeBytes;
      this.#letIn();
    }
    if (this.#unsettled > 0) return;
    this.#stopSweeping();
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Hand a record over when there is room and nobody waits before it. */
  add(record: PendingRecord): void {
    if (this.#waiting.first === undefined && this.#hasRoomFor(record)) this.#take(record);
    else if (this.#parts.options.onFull === "reject") record.failed(this.#full(record));
    else this.wait(this.#waiting, record);
  }

  /** Let a record wait in a list; it fails there when its deadline passes. */
  wait(list: WaitingRecords, record: PendingRecord): void {
    list.push(record);
    this.#lists.add(list);
    this.#sweepLater();
  }

  /** Resolves when every record that was made has settled. */
  emptied(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#onEmpty.push(resolve));
  }

  /** Fail everything that waits. */
  abandon(error: (record: PendingRecord) => BusError): void {
    for (const list of this.#lists) list.expire(Infinity, error);
    this.#stopSweeping();
  }

  #stopSweeping(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #letIn(): void {
    for (
      let { first } = this.#waiting;
      first !== undefined && this.#hasRoomFor(first);
      { first } = this.#waiting
    ) {
      this.#waiting.shift();
      this.#take(first);
    }
  }

  #take(record: PendingRecord): void {
    record.isBuffered = true;
    this.messages += 1;
    this.bytes += record.sizeBytes;
    this.#parts.handOver(record);
  }

  #hasRoomFor(record: PendingRecord): boolean {
    if (this.messages === 0) return true;
    const { bufferMessages, bufferBytes } = this.#parts.options;
    return this.messages < bufferMessages && this.bytes + record.sizeBytes <= bufferBytes;
  }

  #sweepLater(): void {
    this.#cancelSweep ??= this.#parts.clock.schedule(() => {
      this.#cancelSweep = undefined;
      const nowMs = this.#parts.clock.monotonicMs();
      for (const list of this.#lists) {
        list.expire(nowMs, (record) => this.#late(record));
        if (list.first === undefined && list !== this.#waiting) this.#lists.delete(list);
      }
      if ([...this.#lists].some(({ first }) => first !== undefined)) this.#sweepLater();
    }, SWEEP_MS);
  }

  #full({ topic }: PendingRecord): BusError {
    const { bufferMessages, bufferBytes } = this.#parts.options;
    const message = `${this.messages} messages of ${this.bytes} bytes wait for the broker, the bounds are producer.bufferMessages (${bufferMessages}) and producer.bufferBytes (${bufferBytes})`;
    return new BusTransportError("BUS_BUFFER_FULL", message, { details: { topic } });
  }

  #late({ topic }: PendingRecord): BusError {
    const message = `a message for ${topic} could not be handed to the broker within ${this.#parts.options.timeoutMs} ms`;
    return new BusTransportError("BUS_PUBLISH_FAILED", message, { details: { topic } });
  }
}
