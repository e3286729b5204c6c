import { BusClosedError, BusConfigError, BusError, BusTransportError } from "@bus/core";
import type { Clock, OutgoingMessage, Publisher, PublishReceipt } from "@bus/core";
import { messageSizeBytes } from "@bus/core/adapter";
import { KeylessSpread, partitionOfKey } from "./choose-partition.ts";
import type { KafkaDriver, OutgoingRecord } from "./kafka-driver.ts";
import type { ResolvedProducerOptions } from "./driver-options.ts";
import { PendingRecord, PublishCall } from "./publish-call.ts";
import { clientError } from "./map-kafka-error.ts";
import { PublishBuffer } from "./publish-buffer.ts";
import { TopicLookUps } from "./topic-look-ups.ts";

/** What a publisher needs. */
export interface KafkaPublisherParts {
  readonly driver: Pick<KafkaDriver, "producer">;
  readonly options: ResolvedProducerOptions;
  readonly clock: Clock;
  readonly random: () => number;
  /** Make sure that a topic may be published to, once, before its first message. */
  readonly ensureTopic: (topic: string) => Promise<void>;
}

/**
 * Publishes through any driver: checks messages, chooses partitions, keeps the bound of the buffer.
 *
 * Messages of one topic are handed to the driver in the order of the calls, whatever some of them had to wait for.
 */
export class KafkaPublisher implements Publisher {
  readonly #parts: KafkaPublisherParts;
  readonly #buffer: PublishBuffer;
  readonly #spread: KeylessSpread;
  readonly #lookUps: TopicLookUps;
  #isClosed = false;

  constructor(parts: KafkaPublisherParts) {
    const { options, driver, clock, random } = parts;
    this.#parts = parts;
    this.#spread = new KeylessSpread(
      { messages: options.flushMessages, bytes: options.batchSizeBytes },
      random,
    );
    this.#buffer = new PublishBuffer({
      options,
      clock,
      handOver: (record) => driver.producer.send(record),
    });
    this.#lookUps = new TopicLookUps({
      clock,
      timeoutMs: options.timeoutMs,
      prepare: async (topic) => {
        await parts.ensureTopic(topic);
        await driver.producer.loadTopic(topic);
      },
      wait: (list, record) => this.#buffer.wait(list, record),
      route: (record) => this.#route(record),
    });
  }

  /** Messages and bytes accepted and not yet acknowledged. */
  get buffered(): { readonly messages: number; readonly bytes: number } {
    return this.#buffer;
  }

  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    return this.publishThrough(messages, undefined);
  }

  /** Publish, but hand the records over to `send`, which keeps a bound of its own. */
  publishThrough(
    messages: readonly OutgoingMessage[],
    send: ((record: OutgoingRecord) => void) | undefined,
  ): Promise<readonly PublishReceipt[]> {
    if (this.#isClosed) {
      const message = "the kafka transport is closed, nothing can be published";
      return Promise.reject(new BusClosedError(message));
    }
    if (messages.length === 0) return Promise.resolve([]);
    const { clock, options } = this.#parts;
    const call = new PublishCall(messages.length);
    const listener = this.#buffer;
    const nowMs = clock.now();
    const deadlineAtMs = clock.monotonicMs() + options.timeoutMs;
    for (const [index, message] of messages.entries()) {
      const refusal = this.#refusal(message);
      const sizeBytes = refusal === undefined ? messageSizeBytes(message) : 0;
      if (refusal !== undefined) call.failed(index, refusal);
      else if (sizeBytes > options.maxMessageBytes)
        call.failed(index, this.#tooLarge(message, sizeBytes));
      else
        this.#lookUps.accept(
          new PendingRecord(message, {
            call,
            index,
            listener,
            send,
            sizeBytes,
            nowMs,
            deadlineAtMs,
          }),
        );
    }
    return call.receipts;
  }

  /** Accept no more, and give what was accepted so long to get an outcome. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    const { clock, driver } = this.#parts;
    void driver.producer.flush();
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(() => {
        this.#lookUps.close();
        this.#buffer.abandon(
          ({ topic }) =>
            new BusClosedError(`the transport was closed before a message for ${topic} was sent`),
        );
        resolve();
      }, timeoutMs);
      void this.#buffer.emptied().then(() => {
        cancel();
        resolve();
      });
    });
  }

  #route(record: PendingRecord): void {
    const partitions = this.#parts.driver.producer.partitionCount(record.topic) ?? 0;
    try {
      record.partition = this.#partition(record, partitions);
    } catch (error) {
      record.failed(
        BusError.is(error) ? error : clientError({ doing: "choosing a partition", cause: error }),
      );
      return;
    }
    if (record.send === undefined) this.#buffer.add(record);
    else record.send(record);
  }

  #partition({ topic, key, partition, sizeBytes }: PendingRecord, partitions: number): number {
    if (partition >= 0) {
      if (partition < partitions) return partition;
      const message = `topic ${topic} has ${partitions} partitions, so there is no partition ${partition}`;
      throw new BusConfigError("BUS_INVALID_MESSAGE", message, {
        details: { topic, partition, partitions },
      });
    }
    if (key === null) return this.#spread.next(topic, sizeBytes, partitions);
    return partitionOfKey(this.#parts.options.partitioner, key, partitions);
  }

  #refusal({ topic, key, value, headers, partition }: OutgoingMessage): BusError | undefined {
    if (!isBytesOrNull(key)) return invalid(topic, "its key is neither bytes nor null");
    if (!isBytesOrNull(value)) return invalid(topic, "its value is neither bytes nor null");
    if (!headers.every(isHeader))
      return invalid(topic, "a header is not a pair of a name and bytes");
    const isChosen = partition !== undefined;
    if (isChosen && (!Number.isInteger(partition) || partition < 0))
      return invalid(topic, `partition ${partition} is not a whole number`);
    return undefined;
  }

  #tooLarge({ topic }: OutgoingMessage, sizeBytes: number): BusError {
    const { maxMessageBytes } = this.#parts.options;
    const message = `a message of ${sizeBytes} bytes for ${topic} exceeds producer.maxMessageBytes (${maxMessageBytes})`;
    return new BusTransportError("BUS_MESSAGE_TOO_LARGE", message, {
      details: { topic, sizeBytes, maxMessageBytes },
    });
  }
}

function invalid(topic: string, reason: string): BusError {
  return new BusConfigError(
    "BUS_INVALID_MESSAGE",
    `a message for ${topic} cannot be published: ${reason}`,
    { details: { topic } },
  );
}

function isBytesOrNull(value: unknown): boolean {
  return value === null || value instanceof Uint8Array;
}

function isHeader(header: readonly [unknown, unknown]): boolean {
  return typeof header[0] === "string" && header[1] instanceof Uint8Array;
}
