import type { Clock } from "@bus/core";
import type { CallOptions, JetStreamApi } from "../client/jetstream-api.ts";

const PATIENCE_MS = 15_000;
/** How long a list of consumers may be used again. */
const NAMES_FRESH_MS = 500;

/** `CONSUMER.INFO`, as far as the bus reads it. */
export interface ConsumerInfo {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly delivered: SequencePair;
  /** Everything up to here is acknowledged. */
  readonly ack_floor: SequencePair;
  readonly num_ack_pending: number;
  readonly num_pending: number;
}

/** A place among the deliveries of a consumer and in the stream. */
export interface SequencePair {
  readonly consumer_seq: number;
  readonly stream_seq: number;
}

/** Settings of a consumer by the server's own names. */
export interface ConsumerConfig {
  readonly durable_name: string;
  readonly ack_policy: "explicit" | "all";
  /** Nanoseconds. */
  readonly ack_wait: number;
  readonly max_ack_pending: number;
  readonly max_deliver?: number;
  readonly deliver_policy: "by_start_sequence";
  readonly opt_start_seq: number;
  readonly filter_subject: string;
  readonly replay_policy: "instant";
  /** Nanoseconds without a reader after which the server removes the consumer; never when absent. */
  readonly inactive_threshold?: number;
}

/** The durable consumers of one stream. */
export class ConsumerAdmin {
  readonly #api: JetStreamApi;
  readonly #clock: Clock;
  readonly #stream: string;
  #names: Promise<readonly string[]> | undefined;
  #listedAtMs = 0;

  constructor(api: JetStreamApi, clock: Clock, stream: string) {
    this.#api = api;
    this.#clock = clock;
    this.#stream = stream;
  }

  /** The consumer; `undefined` when there is none of that name. */
  find(
    name: string,
    options: CallOptions = { patienceMs: PATIENCE_MS },
  ): Promise<ConsumerInfo | undefined> {
    return this.#api.find<ConsumerInfo>(
      `CONSUMER.INFO.${this.#stream}.${name}`,
      undefined,
      options,
    );
  }

  /** Create a consumer; one that exists gets the settings that can be changed. */
  async put(
    config: ConsumerConfig,
    options: CallOptions = { patienceMs: PATIENCE_MS },
  ): Promise<ConsumerInfo> {
    // The oldest form of this request: it has no preconditions, so that both old and new servers create or update.
    const subject = `CONSUMER.DURABLE.CREATE.${this.#stream}.${config.durable_name}`;
    const body = { stream_name: this.#stream, config };
    const info = await this.#api.call<ConsumerInfo>(subject, body, options);
    this.#names = undefined;
    return info;
  }

  /** Delete a consumer; a missing one is ignored. */
  async delete(name: string, options: CallOptions = { patienceMs: PATIENCE_MS }): Promise<void> {
    await this.#api.find(`CONSUMER.DELETE.${this.#stream}.${name}`, undefined, options);
    this.#names = undefined;
  }

  /** Names of all consumers of the stream, at most half a second old. */
  names(): Promise<readonly string[]> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#names === undefined || nowMs - this.#listedAtMs > NAMES_FRESH_MS) {
      this.#listedAtMs = nowMs;
      const listing = this.#list();
      this.#names = listing;
      listing.catch(() => {
        if (this.#names === listing) this.#names = undefined;
      });
    }
    return this.#names;
  }

  /** Names of all consumers of the stream as they are now. */
  namesNow(): Promise<readonly string[]> {
    this.#names = undefined;
    return this.names();
  }

  async #list(): Promise<readonly string[]> {
    interface Page {
      readonly total: number;
      readonly consumers?: readonly string[] | null;
    }
    const names: string[] = [];
    for (;;) {
      const page = await this.#api.find<Page>(
        `CONSUMER.NAMES.${this.#stream}`,
        { offset: names.length },
        { patienceMs: PATIENCE_MS },
      );
      const found = page?.consumers ?? [];
      names.push(...found);
      if (found.length === 0 || names.length >= (page?.total ?? 0)) return names;
    }
  }
}
