import { BusClosedError, BusTransportError } from "@bus/core";
import type { BusError } from "@bus/core";
import type {
  DriverTransaction,
  DriverTransactions,
  OutgoingRecord,
  PartitionOffset,
} from "../kafka-driver.ts";
import { callNative } from "./call-native.ts";
import type { NativeCallback, NativeConsumer, NativeProducer } from "./confluent-client-types.ts";
import { transactionalProperties } from "./confluent-config.ts";
import { isNativeError, mapConfluentError } from "./map-confluent-error.ts";
import { closeProducer, openProducer } from "./open-client.ts";
import type { ClientParts, OpenClient } from "./open-client.ts";
import { RecordSender } from "./record-sender.ts";

const SLICE_MS = 1_000;

/** What transactions need. */
export interface ConfluentTransactionsParts extends ClientParts {
  readonly transactionalId: string;
  /** A client that stands for a group: its member here when there is one. */
  consumerOf(group: string): Promise<NativeConsumer>;
}

/** The producer that runs transactions, made for the first one and made anew after it was given up. */
export class ConfluentTransactions implements DriverTransactions {
  readonly #parts: ConfluentTransactionsParts;
  readonly #sender: RecordSender;
  #opened: Promise<OpenClient<NativeProducer>> | undefined;
  #calling: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(parts: ConfluentTransactionsParts) {
    this.#parts = parts;
    this.#sender = new RecordSender({
      clock: parts.host.clock,
      onFatal: () => undefined,
      onUnknownPartition: () => undefined,
    });
  }

  /** @throws BusTransportError `BUS_FENCED` when another producer has taken the id over. */
  async begin(): Promise<DriverTransaction> {
    if (this.#isClosed) throw new BusClosedError("the kafka driver is closed");
    const { client } = await this.#open();
    await this.#call("beginning a transaction", (callback) => client.beginTransaction(callback));
    const isGivenUp = async (): Promise<boolean> => (await this.#opened)?.client !== client;
    return {
      send: (record: OutgoingRecord) => this.#sender.send(record),
      sendOffsets: (group, offsets) => this.#sendOffsets(client, group, offsets),
      commit: () =>
        this.#call("committing a transaction", (callback) =>
          client.commitTransaction(SLICE_MS, callback),
        ),
      abort: async () => {
        if (await isGivenUp()) return;
        await this.#call("aborting a transaction", (callback) =>
          client.abortTransaction(SLICE_MS, callback),
        );
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sender.close("the kafka driver was closed");
    await this.#calling;
    await this.#retire();
  }

  async #sendOffsets(
    client: NativeProducer,
    group: string,
    offsets: readonly PartitionOffset[],
  ): Promise<void> {
    const consumer = await this.#parts.consumerOf(group);
    const positions = offsets.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset: Number(offset),
    }));
    await this.#call(`sending offsets of group ${group} in a transaction`, (callback) =>
      client.sendOffsetsToTransaction(positions, consumer, SLICE_MS, callback),
    );
  }

  #open(): Promise<OpenClient<NativeProducer>> {
    this.#opened ??= this.#openOnce().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openOnce(): Promise<OpenClient<NativeProducer>> {
    const { options, transactionalId } = this.#parts;
    const opened = await openProducer(
      this.#parts,
      transactionalProperties(options, transactionalId),
    );
    const { client } = opened;
    try {
      await callNative<void>((callback) =>
        client.initTransactions(options.producer.timeoutMs, callback),
      );
    } catch (error) {
      await closeProducer(opened);
      throw mapConfluentError(error, { doing: `initialising transactions of ${transactionalId}` });
    }
    this.#sender.attach(client);
    return opened;
  }

  async #call(doing: string, start: (callback: NativeCallback<void>) => unknown): Promise<void> {
    try {
      await this.#untilAnswered(start);
    } catch (error) {
      if (!isNativeError(error) || error.isFatal !== true)
        throw mapConfluentError(error, { doing });
      await this.#retire();
      throw this.#fenced(doing, error);
    }
  }

  /** A call that ran out of time goes on when it is made again; so none holds a thread, or a close, for long. */
  async #untilAnswered(start: (callback: NativeCallback<void>) => unknown): Promise<void> {
    const { clock } = this.#parts.host;
    const deadlineAtMs = clock.monotonicMs() + this.#parts.options.producer.timeoutMs;
    for (;;) {
      const calling = callNative<void>(start);
      this.#calling = calling.catch(() => undefined);
      try {
        await calling;
        return;
      } catch (error) {
        const isUnfinished =
          isNativeError(error) && error.isRetriable === true && error.isTxnRequiresAbort !== true;
        if (!isUnfinished || this.#isClosed || clock.monotonicMs() >= deadlineAtMs) throw error;
      }
    }
  }

  /** What makes a transactional producer useless for good is nearly always another one with the same id. */
  #fenced(doing: string, cause: unknown): BusError {
    const mapped = mapConfluentError(cause, { doing });
    if (!mapped.retryable) return mapped;
    return new BusTransportError("BUS_FENCED", mapped.message, { cause, details: mapped.details });
  }

  async #retire(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    this.#sender.detach();
    if (opened !== undefined) await closeProducer(opened);
  }
}
