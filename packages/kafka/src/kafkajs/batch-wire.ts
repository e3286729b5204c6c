import { BusError } from "@bus/core";
import type { DriverOptions } from "../driver-options.ts";
import type { SendOutcome } from "./batch-sender.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { mapKafkajsError } from "./map-kafkajs-error.ts";
import { sendProduce } from "./produce-request.ts";
import type { PartitionBatch } from "./produce-request.ts";
import { RecordBatchWriter, stampProducer } from "./record-batch-writer.ts";
import type { BatchFinish, BatchProducer } from "./record-batch-writer.ts";
import type { BatchStamp, SealedBatch } from "./sealed-batch.ts";

const ACKS = Object.freeze({ none: 0, leader: 1, all: -1 } as const);
/** Writers that are kept for the next batches. */
const SPARE_WRITERS = 64;

/** What a wire needs. */
export interface BatchWireParts {
  readonly options: DriverOptions;
  readonly connection: ClusterConnection;
  /** Set for batches that belong to transactions. */
  readonly transactionalId?: string;
}

/** Turns sealed batches into bytes and sends them, one request at a time, as told. */
export class BatchWire {
  readonly #parts: BatchWireParts;
  readonly #finish: BatchFinish;
  readonly #spareWriters: RecordBatchWriter[] = [];
  readonly #writers = new Map<SealedBatch, RecordBatchWriter>();

  constructor(parts: BatchWireParts) {
    this.#parts = parts;
    const { compression, compressionLevel } = parts.options.producer;
    this.#finish = { compression, ...(compressionLevel === undefined ? {} : { compressionLevel }) };
  }

  /** One request, once; never rejects. */
  async send(leader: number, batches: readonly SealedBatch[]): Promise<SendOutcome> {
    const { options, connection, transactionalId } = this.#parts;
    const acks = ACKS[options.producer.requiredAcks];
    const timeoutMs = options.net.readTimeoutMs;
    let isSent = false;
    try {
      const [broker, partitions] = await Promise.all([
        connection.broker(leader),
        this.#encodeAll(batches),
      ]);
      isSent = true;
      const request = {
        acks,
        timeoutMs,
        partitions,
        ...(transactionalId === undefined ? {} : { transactionalId }),
      };
      const answer = await sendProduce(broker, request);
      return acks === 0 ? { kind: "unacknowledged" } : { kind: "answered", batches: answer };
    } catch (cause) {
      const error = BusError.is(cause)
        ? cause
        : mapKafkajsError(cause, { doing: `publishing to broker ${leader}` });
      return { kind: isSent ? "unanswered" : "unsent", error };
    }
  }

  /** A batch is over and done with: what was needed to encode it is free for another. */
  recycle(batch: SealedBatch): void {
    const writer = this.#writers.get(batch);
    batch.encoded = undefined;
    if (writer === undefined) return;
    this.#writers.delete(batch);
    writer.reset();
    if (this.#spareWriters.length < SPARE_WRITERS) this.#spareWriters.push(writer);
  }

  async #encodeAll(batches: readonly SealedBatch[]): Promise<readonly PartitionBatch[]> {
    const encoded = batches.map((batch) => this.#encode(batch));
    return await Promise.all(
      batches.map(async ({ topic, partition }, index) => ({
        topic,
        partition,
        batch: (await encoded[index]) ?? Buffer.alloc(0),
      })),
    );
  }

  /** Encode a batch, once: when it is sent again only its stamp can differ. */
  #encode(batch: SealedBatch): Buffer | Promise<Buffer> {
    const { stamp } = batch;
    if (batch.encoded !== undefined)
      return stamp === undefined
        ? batch.encoded
        : stampProducer(batch.encoded, this.#producer(stamp));
    const writer = this.#spareWriters.pop() ?? new RecordBatchWriter();
    this.#writers.set(batch, writer);
    for (const record of batch.records) writer.append(record);
    const finished = writer.finish(
      stamp === undefined ? this.#finish : { ...this.#finish, producer: this.#producer(stamp) },
    );
    const keep = (bytes: Buffer): Buffer => (batch.encoded = bytes);
    return finished instanceof Promise ? finished.then(keep) : keep(finished);
  }

  #producer({ identity, baseSequence }: BatchStamp): BatchProducer {
    return {
      ...identity,
      baseSequence,
      isTransactional: this.#parts.transactionalId !== undefined,
    };
  }
}
