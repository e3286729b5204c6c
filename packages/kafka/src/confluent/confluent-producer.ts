import { BusTransportError } from "@bus/core";
import type { BusError } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type { DriverProducer, DriverTransactions, OutgoingRecord } from "../kafka-driver.ts";
import { callNative } from "./call-native.ts";
import type {
  NativeMetadata,
  NativeMetadataQuery,
  NativeProducer,
} from "./confluent-client-types.ts";
import { producerProperties } from "./confluent-config.ts";
import { mapConfluentError } from "./map-confluent-error.ts";
import { closeProducer, openProducer } from "./open-client.ts";
import type { ClientParts, OpenClient } from "./open-client.ts";
import { RecordSender } from "./record-sender.ts";

/** After so long topics are looked up again, to notice new partitions. */
const METADATA_MAX_AGE_MS = 60_000;
const METADATA_TIMEOUT_MS = 1_000;
const LOAD_BACK_OFF = Object.freeze({ baseMs: 100, maxMs: 1_000, jitter: 0.2 });
const REBUILD_BACK_OFF = Object.freeze({ baseMs: 250, maxMs: 10_000, jitter: 0.2 });

/** What a producer needs. */
export interface ConfluentProducerParts extends ClientParts {
  /** Why a topic cannot be used: resolves when it can. */
  explainTopic(topic: string): Promise<void>;
  readonly transactions?: DriverTransactions;
}

/**
 * Publishes with librdkafka's own accumulator, sequence numbers, retries and time-outs.
 *
 * The client is made when the first topic is looked up: a process that only consumes has no producer, and needs no
 * permission to write.
 */
export class ConfluentProducer implements DriverProducer {
  readonly transactions?: DriverTransactions;
  readonly #parts: ConfluentProducerParts;
  readonly #sender: RecordSender;
  readonly #partitions = new Map<string, number>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  #opened: Promise<OpenClient<NativeProducer>> | undefined;
  #retired: Promise<void> = Promise.resolve();
  #cancelRefresh: (() => void) | undefined;

  constructor(parts: ConfluentProducerParts) {
    this.#parts = parts;
    if (parts.transactions !== undefined) this.transactions = parts.transactions;
    this.#sender = new RecordSender({
      clock: parts.host.clock,
      onFatal: (error) => this.#replace(error),
      onUnknownPartition: (topic) => this.#partitions.delete(topic),
    });
  }

  partitionCount(topic: string): number | undefined {
    return this.#partitions.get(topic);
  }

  loadTopic(topic: string): Promise<void> {
    const running = this.#loading.get(topic);
    if (running !== undefined) return running;
    const loading = this.#load(topic).finally(() => this.#loading.delete(topic));
    this.#loading.set(topic, loading);
    return loading;
  }

  send(record: OutgoingRecord): void {
    this.#sender.send(record);
  }

  flush(): Promise<void> {
    return this.#sender.flush();
  }

  /** Disconnect; what is not settled by now is reported as not acknowledged. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelRefresh?.();
    this.#sender.close("the kafka driver was closed");
    await Promise.allSettled(this.#loading.values());
    const opened = await this.#opened?.catch(() => undefined);
    if (opened !== undefined) await closeProducer(opened);
    await this.#retired;
  }

  async #load(topic: string): Promise<void> {
    const { clock, random } = this.#parts.host;
    const deadlineAtMs = clock.monotonicMs() + this.#parts.options.producer.timeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#lookUp(topic);
        return;
      } catch (error) {
        const mapped = mapConfluentError(error, {
          doing: `looking up topic ${topic}`,
          details: { topic },
        });
        if (!mapped.retryable || clock.monotonicMs() >= deadlineAtMs) throw mapped;
        const delayMs = backOffMs(attempt, LOAD_BACK_OFF, random);
        if (!(await wait(clock, delayMs, this.#closing.signal))) throw mapped;
      }
    }
  }

  async #lookUp(topic: string): Promise<void> {
    const { client } = await this.#open();
    const { topics } = await metadata(client, { topic });
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
    if (count === 0) {
      await this.#parts.explainTopic(topic);
      throw new BusTransportError("BUS_TRANSPORT", `topic ${topic} has no partitions yet`);
    }
    this.#partitions.set(topic, count);
    this.#cancelRefresh ??= this.#refreshLater();
  }

  #open(): Promise<OpenClient<NativeProducer>> {
    this.#opened ??= this.#openOnce().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openOnce(): Promise<OpenClient<NativeProducer>> {
    const opened = await openProducer(this.#parts, producerProperties(this.#parts.options));
    if (!this.#closing.signal.aborted) this.#sender.attach(opened.client);
    return opened;
  }

  #refreshLater(): () => void {
    return this.#parts.host.clock.schedule(() => void this.#refresh(), METADATA_MAX_AGE_MS);
  }

  async #refresh(): Promise<void> {
    try {
      const { client } = await this.#open();
      const { topics } = await metadata(client, {});
      for (const { name, partitions } of topics) {
        if (partitions.length > 0 && this.#partitions.has(name))
          this.#partitions.set(name, partitions.length);
      }
    } catch (error) {
      const { message } = mapConfluentError(error, { doing: "looking up topics again" });
      this.#parts.host.logger.debug(message);
    }
    if (!this.#closing.signal.aborted) this.#cancelRefresh = this.#refreshLater();
  }

  /** librdkafka gives a producer up for good when its identity is refused: go on with a new one. */
  #replace(error: BusError): void {
    const retired = this.#opened;
    if (retired === undefined || this.#closing.signal.aborted) return;
    this.#opened = undefined;
    this.#sender.detach();
    this.#parts.host.emit({
      kind: "warning",
      message: `the producer is replaced: ${error.message}`,
      details: { error },
    });
    this.#retired = Promise.all([this.#retired, retired.then(closeProducer)]).then(() => undefined);
    void this.#reopen();
  }

  async #reopen(): Promise<void> {
    const { clock, random } = this.#parts.host;
    for (let attempt = 1; ; attempt += 1) {
      const delayMs = backOffMs(attempt, REBUILD_BACK_OFF, random);
      if (!(await wait(clock, delayMs, this.#closing.signal))) return;
      try {
        await this.#open();
        return;
      } catch (error) {
        const { message } = mapConfluentError(error, { doing: "replacing the producer" });
        this.#parts.host.logger.debug(message);
      }
    }
  }
}

function metadata(
  client: NativeProducer,
  query: { readonly topic?: string },
): Promise<NativeMetadata> {
  const whole: NativeMetadataQuery = { ...query, allTopics: false, timeout: METADATA_TIMEOUT_MS };
  return callNative((callback) => client.getMetadata(whole, callback));
}
