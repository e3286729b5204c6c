import { BusTransportError } from "@bus/core";
import type { TransportHost } from "@bus/core";
import { wait } from "@bus/core/adapter";
import { JETSTREAM_ERRORS, jetStreamErrorOf } from "../client/jetstream-api.ts";
import type { JetStreamApi } from "../client/jetstream-api.ts";
import type { NatsLink } from "../client/nats-link.ts";

const KEY = "topics";
const LOCK_KEY = "lock";
/** A lock that has not changed for so long belongs to somebody who is gone. */
const LOCK_EXPIRES_MS = 20_000;
const LOCK_POLL_MS = 50;
const PATIENCE_MS = 15_000;
const PUT_TIMEOUT_MS = 5_000;
/** As the server's key-value buckets are, so that its tools show what is in it. */
const BUCKET = Object.freeze({
  max_msgs_per_subject: 5,
  discard: "new",
  allow_rollup_hdrs: true,
  deny_delete: true,
  retention: "limits",
  storage: "file",
});

/** Topics that the bus created: how many partitions each has, 0 for none. */
export type TopicRecords = Readonly<Record<string, number>>;

interface StoredRecords {
  readonly records: TopicRecords;
  /** Sequence of the value; 0 when there is none. */
  readonly revision: number;
}

/** What a store needs. */
export interface TopicRecordStoreParts {
  readonly api: JetStreamApi;
  readonly link: NatsLink;
  readonly host: Pick<TransportHost, "clock" | "random">;
  readonly bucket: string;
  readonly replicas: number;
}

/**
 * The topics that the bus created, in a key-value bucket beside the stream: processes agree on the number of partitions,
 * and two that add topics at the same time do not take each other's subjects away.
 */
export class TopicRecordStore {
  readonly #api: JetStreamApi;
  readonly #link: NatsLink;
  readonly #host: Pick<TransportHost, "clock" | "random">;
  readonly #bucket: string;
  readonly #replicas: number;

  constructor({ api, link, host, bucket, replicas }: TopicRecordStoreParts) {
    this.#api = api;
    this.#link = link;
    this.#host = host;
    this.#bucket = bucket;
    this.#replicas = replicas;
  }

  /** What is recorded; nothing when the bus has created no topics here. */
  async read(): Promise<TopicRecords> {
    return (await this.#read()).records;
  }

  /**
   * Change the records while nobody else does; `also` runs before somebody else may.
   *
   * A server that is told to change a stream twice at the same time may end with subjects that it lists and does not
   * listen to, so that is what the lock is for.
   */
  async update(
    change: (records: TopicRecords) => TopicRecords,
    also: (records: TopicRecords) => Promise<void>,
  ): Promise<void> {
    const locked = await this.#lock();
    try {
      const before = await this.#read();
      const after = change(before.records);
      if (after !== before.records) await this.#write(KEY, JSON.stringify(after), before.revision);
      await also(after);
    } finally {
      // When it is not ours any more, somebody took us for gone.
      await this.#write(LOCK_KEY, "", locked).catch(() => undefined);
    }
  }

  /** @returns The revision of the lock that is ours. */
  async #lock(): Promise<number> {
    const { clock, random } = this.#host;
    let seen = -1;
    let seenAtMs = 0;
    for (;;) {
      const { text, revision } = await this.#get(LOCK_KEY);
      const nowMs = clock.monotonicMs();
      if (revision !== seen) [seen, seenAtMs] = [revision, nowMs];
      if (text === "" || nowMs - seenAtMs > LOCK_EXPIRES_MS) {
        const ours = await this.#write(LOCK_KEY, "held", revision);
        if (ours !== undefined) return ours;
      }
      await wait(clock, LOCK_POLL_MS * (1 + random()));
    }
  }

  async #read(): Promise<StoredRecords> {
    const { text, revision } = await this.#get(KEY);
    // Written by `update` and by nobody else.
    return { records: text === "" ? {} : (JSON.parse(text) as TopicRecords), revision };
  }

  async #get(key: string): Promise<{ readonly text: string; readonly revision: number }> {
    interface Answer {
      readonly message: { readonly data?: string; readonly seq: number };
    }
    const found = await this.#api.find<Answer>(
      `STREAM.MSG.GET.KV_${this.#bucket}`,
      { last_by_subj: `$KV.${this.#bucket}.${key}` },
      { patienceMs: PATIENCE_MS },
    );
    if (found === undefined) return { text: "", revision: 0 };
    return {
      text: Buffer.from(found.message.data ?? "", "base64").toString(),
      revision: found.message.seq,
    };
  }

  /** @returns The new revision; `undefined` when the key is not at `revision` any more. */
  async #write(key: string, value: string, revision: number): Promise<number | undefined> {
    const header = `NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ${revision}\r\n\r\n`;
    if (revision === 0) await this.#createBucket();
    const answer = await this.#link.request(
      `$KV.${this.#bucket}.${key}`,
      Buffer.from(value),
      PUT_TIMEOUT_MS,
      { headerBytes: Buffer.from(header) },
    );
    interface Answer {
      readonly seq: number;
      readonly error?: { readonly err_code: number; readonly description: string };
    }
    const { seq, error } = JSON.parse(Buffer.from(answer.data).toString()) as Answer;
    if (error === undefined) return seq;
    if (error.err_code === JETSTREAM_ERRORS["wrongLastSequence"]) return undefined;
    throw new BusTransportError(
      "BUS_BROKER_REJECTED",
      `bucket ${this.#bucket} refused a change: ${error.description}`,
    );
  }

  async #createBucket(): Promise<void> {
    const name = `KV_${this.#bucket}`;
    const config = {
      ...BUCKET,
      name,
      subjects: [`$KV.${this.#bucket}.>`],
      num_replicas: this.#replicas,
    };
    try {
      await this.#api.call(`STREAM.CREATE.${name}`, config, { patienceMs: PATIENCE_MS });
    } catch (error) {
      if (jetStreamErrorOf(error) !== JETSTREAM_ERRORS["streamNameInUse"]) throw error;
    }
  }
}
