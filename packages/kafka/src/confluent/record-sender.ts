import { BusTransportError } from "@bus/core";
import type { BusError, Clock, HeaderList } from "@bus/core";
import type { OutgoingRecord } from "../kafka-driver.ts";
import type { NativeError, NativeProducer, NativeReport } from "./confluent-client-types.ts";
import { BROKER, LOCAL, mapConfluentError, nativeCode } from "./map-confluent-error.ts";
import { SentRecords } from "./sent-records.ts";
import type { SentRecord } from "./sent-records.ts";

/** Reports after which a record may be stored all the same. */
const MAYBE_STORED = new Set([-195, -192, -185, -151, -150, -1, 7, 13, 20]);

/** What a sender needs. */
export interface RecordSenderParts {
  readonly clock: Clock;
  /** The client has given up for good and must be replaced. */
  onFatal(error: BusError): void;
  /** What is known of the partitions of a topic is out of date. */
  onUnknownPartition(topic: string): void;
}

/**
 * Hands records to a producer of the client and settles them by its delivery reports.
 *
 * Records keep their order: while one waits (no client yet, the client's queue is full) all later ones wait behind it.
 */
export class RecordSender {
  readonly #parts: RecordSenderParts;
  readonly #sent: SentRecords;
  #waiting: SentRecord[] = [];
  #client: NativeProducer | undefined;

  constructor(parts: RecordSenderParts) {
    this.#parts = parts;
    this.#sent = new SentRecords({ clock: parts.clock, overdue });
  }

  /** Send with this client from now on; begin with what has waited. */
  attach(client: NativeProducer): void {
    client.on("delivery-report", (error, report) => this.#reported(error, report));
    this.#client = client;
    this.#sendWaiting();
  }

  /** Send nothing until the next `attach`. */
  detach(): void {
    this.#client = undefined;
  }

  send(record: OutgoingRecord): void {
    const sent = this.#sent.add(record);
    if (this.#waiting.length > 0 || !this.#handOver(sent)) this.#waiting.push(sent);
  }

  /** Resolves when every record taken so far is settled. */
  async flush(): Promise<void> {
    let isSettled = false;
    const settled = this.#sent.settled().then(() => (isSettled = true));
    while (!isSettled) await Promise.race([settled, this.#flushClient(settled)]);
  }

  /** Settle what is left as not acknowledged, and take no more. */
  close(reason: string): void {
    this.#client = undefined;
    this.#waiting = [];
    this.#sent.close((sent) => unacknowledged(sent, reason));
  }

  /** One flush of the client sends what lingers at once; without a client there is nothing to do but wait. */
  #flushClient(settled: Promise<unknown>): Promise<unknown> {
    const client = this.#client;
    if (client === undefined) return settled;
    return new Promise<void>((resolve) => {
      try {
        client.flush(FLUSH_SLICE_MS, () => resolve());
      } catch {
        // Not connected any more: the records are settled by their deadlines.
        void settled.then(() => resolve());
      }
    });
  }

  #sendWaiting(): void {
    let next = 0;
    for (const sent of this.#waiting) {
      if (!sent.isSettled && !this.#handOver(sent)) break;
      next += 1;
    }
    this.#waiting.splice(0, next);
  }

  /** @returns Whether the record is settled or in the client's hands; otherwise it waits. */
  #handOver(sent: SentRecord): boolean {
    const client = this.#client;
    if (client === undefined) return false;
    const { topic, partition, key, value, headers, timestampMs } = sent.record;
    try {
      if (headers.length === 0) client.produce(topic, partition, value, key, timestampMs, sent);
      else client.produce(topic, partition, value, key, timestampMs, sent, nativeHeaders(headers));
      sent.isHandedOver = true;
      return true;
    } catch (error) {
      return this.#refused(sent, error);
    }
  }

  #refused(sent: SentRecord, error: unknown): boolean {
    const code = nativeCode(error);
    if (code === LOCAL.queueFull || code === LOCAL.state) return false;
    const mapped = mapConfluentError(error, failureOf(sent));
    if (code === LOCAL.fatal) {
      this.#parts.onFatal(mapped);
      return false;
    }
    if (code === LOCAL.unknownPartition) this.#parts.onUnknownPartition(sent.record.topic);
    this.#sent.failed(sent, code === BROKER.messageTooLarge ? tooLarge(sent.record) : mapped);
    return true;
  }

  #reported(error: NativeError | null, { opaque, offset }: NativeReport): void {
    // Only what #handOver passes as opaque comes back.
    const sent = opaque as SentRecord;
    if (error === null) this.#sent.stored(sent, offset < 0 ? undefined : offset);
    else this.#failed(sent, error);
    if (this.#waiting.length > 0) this.#sendWaiting();
  }

  #failed(sent: SentRecord, error: NativeError): void {
    if (error.code === LOCAL.unknownPartition || error.code === LOCAL.unknownTopic) {
      this.#parts.onUnknownPartition(sent.record.topic);
    }
    const isUnsure = MAYBE_STORED.has(error.code);
    const failure = failureOf(sent);
    const hint = error.code === BROKER.messageTooLarge ? { hint: BATCH_HINT } : {};
    const mapped = mapConfluentError(error, { ...failure, ...hint });
    this.#sent.failed(sent, isUnsure ? unacknowledged(sent, error.message, error) : mapped);
    if (error.code === LOCAL.fatal) this.#parts.onFatal(mapped);
  }
}

/** librdkafka does not divide a batch that the broker finds too large: all of its records fail. */
const BATCH_HINT =
  "all messages of its batch failed with it, so producer.batchSizeBytes should not exceed the topic's max.message.bytes";

/** How long one flush holds a thread. */
const FLUSH_SLICE_MS = 500;

function nativeHeaders(
  headers: HeaderList,
): readonly Readonly<Record<string, Uint8Array | string>>[] {
  // Of an empty buffer the addon makes "no value"; of an empty string it makes an empty value.
  return headers.map(([name, value]) => ({ [name]: value.length === 0 ? "" : value }));
}

function failureOf({ record: { topic, partition } }: SentRecord): {
  readonly doing: string;
  readonly details: { readonly topic: string; readonly partition: number };
} {
  return { doing: `publishing to ${topic}[${partition}]`, details: { topic, partition } };
}

function overdue(sent: SentRecord): BusError {
  return unacknowledged(sent, "its deadline passed");
}

function unacknowledged(sent: SentRecord, reason: string, cause?: unknown): BusError {
  const { doing, details } = failureOf(sent);
  if (!sent.isHandedOver) {
    return new BusTransportError(
      "BUS_PUBLISH_FAILED",
      `${doing} failed before it was sent: ${reason}`,
      { details, cause },
    );
  }
  const message = `${doing} was not acknowledged, it may or may not be stored: ${reason}`;
  return new BusTransportError("BUS_OUTCOME_UNKNOWN", message, { details, cause });
}

function tooLarge({ topic, partition, sizeBytes }: OutgoingRecord): BusError {
  const message = `a message of ${sizeBytes} bytes to ${topic}[${partition}] exceeds producer.maxMessageBytes and was not sent`;
  return new BusTransportError("BUS_MESSAGE_TOO_LARGE", message, {
    details: { topic, partition, sizeBytes },
  });
}
