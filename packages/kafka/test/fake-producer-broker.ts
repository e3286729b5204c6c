import type { OutgoingRecord } from "../src/kafka-driver.ts";
import type { BusError } from "@bus/core";
import { BusTransportError } from "@bus/core";
import type { SendOutcome } from "../src/kafkajs/batch-sender.ts";
import type { ProducedBatch } from "../src/kafkajs/produce-request.ts";
import type { SealedBatch } from "../src/kafkajs/sealed-batch.ts";

/** A record whose outcome can be looked at. */
export class FakeRecord implements OutgoingRecord {
  readonly topic: string = "topic";
  readonly partition: number;
  readonly key: Uint8Array | null = null;
  readonly value: Uint8Array | null = null;
  readonly headers: readonly [] = [];
  readonly timestampMs: number = 0;
  readonly sizeBytes: number;
  readonly deadlineAtMs: number;
  readonly id: number;
  outcome: number | undefined | BusError | "open" = "open";

  constructor(
    id: number,
    more: { partition?: number; sizeBytes?: number; deadlineAtMs?: number } = {},
  ) {
    this.id = id;
    this.partition = more.partition ?? 0;
    this.sizeBytes = more.sizeBytes ?? 10;
    this.deadlineAtMs = more.deadlineAtMs ?? 30_000;
  }

  /** The offset, the code of the error, or `open`. */
  get shown(): number | string | undefined {
    return this.outcome instanceof Error ? this.outcome.code : this.outcome;
  }

  stored(offset: number | undefined): void {
    this.#settle(offset);
  }

  failed(error: BusError): void {
    this.#settle(error);
  }

  #settle(outcome: number | undefined | BusError): void {
    if (this.outcome !== "open") throw new Error(`record ${this.id} has two outcomes`);
    this.outcome = outcome;
  }
}

/** A Produce request that waits for what becomes of it. */
export interface OpenRequest {
  readonly leader: number;
  readonly batches: readonly SealedBatch[];
  /** Ids of the records by partition. */
  readonly ids: Readonly<Record<number, readonly number[]>>;
  /** Answer with one error code for all partitions, or one for each. */
  answer(errorCode: number | Readonly<Record<number, number>>, baseOffset?: number): void;
  unanswered(): void;
  unsent(): void;
}

/** Brokers that keep every request until a test says what becomes of it. */
export class FakeBrokers {
  readonly requests: OpenRequest[] = [];

  readonly send = (leader: number, batches: readonly SealedBatch[]): Promise<SendOutcome> =>
    new Promise((resolve) => {
      const error = new BusTransportError("BUS_CONNECT", "connection refused");
      this.requests.push({
        leader,
        batches,
        ids: Object.fromEntries(batches.map((one) => [one.partition, idsOf(one)])),
        answer: (errorCode, baseOffset = 0) =>
          resolve({
            kind: "answered",
            batches: batches.map((one) => produced(one, errorCode, baseOffset)),
          }),
        unanswered: () => resolve({ kind: "unanswered", error }),
        unsent: () => resolve({ kind: "unsent", error }),
      });
    });

  /** The newest request. */
  get last(): OpenRequest {
    const last = this.requests.at(-1);
    if (last === undefined) throw new Error("no request was made");
    return last;
  }
}

function idsOf({ records }: SealedBatch): readonly number[] {
  return records.map((record) => (record instanceof FakeRecord ? record.id : -1));
}

function produced(
  { topic, partition }: SealedBatch,
  errorCode: number | Readonly<Record<number, number>>,
  baseOffset: number,
): ProducedBatch {
  const code = typeof errorCode === "number" ? errorCode : (errorCode[partition] ?? 0);
  return { topic, partition, errorCode: code, baseOffset: BigInt(baseOffset), logAppendTimeMs: -1 };
}
