import { RecordBatchWriter, stampProducer } from "../src/kafkajs/record-batch-writer.ts";

/** One thing that a producer does to a partition: write a batch, or end its transaction. */
export interface LogStep {
  /** 0 writes outside transactions. */
  readonly producer: number;
  readonly kind: "write" | "commit" | "abort";
  /** Records of a write. */
  readonly count: number;
}

/** A partition's log as the broker keeps it, and what a `read_committed` reader must see of it. */
export interface TransactionLog {
  readonly batches: readonly { readonly baseOffset: number; readonly bytes: Buffer }[];
  /** Offsets of messages outside transactions and of committed ones. */
  readonly visible: readonly number[];
  /** In the order in which they ended, as a broker lists them. */
  readonly aborted: readonly {
    readonly producerId: bigint;
    readonly firstOffset: bigint;
    readonly markerOffset: number;
  }[];
  /** The offset after the last batch. */
  readonly end: number;
}

/** Carry the steps out; at the end, open transactions are aborted one after the other. */
export function transactionLog(steps: readonly LogStep[]): TransactionLog {
  const log = new LogBuilder();
  for (const step of steps) {
    if (step.kind === "write") log.write(step.producer, step.count);
    else log.endTransaction(step.producer, step.kind);
  }
  return log.finish();
}

/** The steps' log from an offset on, as a fetch of one partition returns it. */
export function fetchFrom(log: TransactionLog, fetchOffset: number): Buffer {
  const first = log.batches.findLastIndex(({ baseOffset }) => baseOffset <= fetchOffset);
  return Buffer.concat(log.batches.slice(Math.max(first, 0)).map(({ bytes }) => bytes));
}

class LogBuilder {
  readonly #batches: { readonly baseOffset: number; readonly bytes: Buffer }[] = [];
  readonly #visible: number[] = [];
  readonly #aborted: TransactionLog["aborted"][number][] = [];
  /** Offsets of each open transaction. */
  readonly #open = new Map<number, number[]>();
  readonly #writer = new RecordBatchWriter(256);
  #next = 0;

  write(producer: number, count: number): void {
    const offsets = Array.from({ length: count }, (_, index) => this.#next + index);
    for (const offset of offsets) {
      this.#writer.append({
        key: null,
        value: Buffer.from(String(offset)),
        headers: [],
        timestampMs: offset,
      });
    }
    this.#store(producer, 0);
    if (producer === 0) this.#visible.push(...offsets);
    else this.#open.set(producer, [...(this.#open.get(producer) ?? []), ...offsets]);
  }

  endTransaction(producer: number, kind: "commit" | "abort"): void {
    const offsets = this.#open.get(producer);
    const firstOffset = offsets?.[0];
    if (offsets === undefined || firstOffset === undefined) return;
    this.#open.delete(producer);
    if (kind === "commit") this.#visible.push(...offsets);
    else
      this.#aborted.push({
        producerId: BigInt(producer),
        firstOffset: BigInt(firstOffset),
        markerOffset: this.#next,
      });
    // Key: version, type (0 abort, 1 commit). Value: version, coordinator epoch.
    const key = Buffer.from([0, 0, 0, kind === "abort" ? 0 : 1]);
    this.#writer.append({ key, value: Buffer.alloc(6), headers: [], timestampMs: this.#next });
    this.#store(producer, 0x20);
  }

  finish(): TransactionLog {
    for (const producer of this.#open.keys()) this.endTransaction(producer, "abort");
    const visible = this.#visible.toSorted((a, b) => a - b);
    return { batches: this.#batches, visible, aborted: this.#aborted, end: this.#next };
  }

  #store(producer: number, flags: number): void {
    const bytes = Buffer.from(this.#writer.finish() as Buffer);
    bytes.writeBigInt64BE(BigInt(this.#next), 0);
    bytes.writeInt16BE(flags, 21);
    const isTransactional = producer !== 0;
    const producerId = isTransactional ? BigInt(producer) : -1n;
    stampProducer(bytes, { producerId, producerEpoch: 0, baseSequence: 0, isTransactional });
    this.#batches.push({ baseOffset: this.#next, bytes });
    this.#next += this.#writer.count;
    this.#writer.reset();
  }
}
