import { BusTransportError } from "@bus/core";
import { JETSTREAM_ERRORS, jetStreamErrorOf } from "../client/jetstream-api.ts";
import type { JetStreamApi } from "../client/jetstream-api.ts";
import type { NatsLink } from "../client/nats-link.ts";

const KEY = "topics";
const PATIENCE_MS = 15_000;
const PUT_TIMEOUT_MS = 5_000;
const TRIES = 50;
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

/**
 * The topics that the bus created, in a key-value bucket beside the stream: processes agree on the number of partitions,
 * and two that add topics at the same time do not take each other's subjects away.
 */
export class TopicRecordStore {
  readonly #api: JetStreamApi;
  readonly #link: NatsLink;
  readonly #bucket: string;
  readonly #replicas: number;

  constructor(
    api: JetStreamApi,
    link: NatsLink,
    { bucket, replicas }: { readonly bucket: string; readonly replicas: number },
  ) {
    this.#api = api;
    this.#link = link;
    this.#bucket = bucket;
    this.#replicas = replicas;
  }

  /** What is recorded; nothing when the bus has created no topics here. */
  async read(): Promise<TopicRecords> {
    return (await this.#read()).records;
  }

  /** Change the records; `change` may be called again when somebody else was faster. @returns What is recorded now. */
  async update(change: (records: TopicRecords) => TopicRecords): Promise<TopicRecords> {
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const before = await this.#read();
      const after = change(before.records);
      if (after === before.records) return after;
      if (await this.#write(after, before.revision)) return after;
    }
    throw new BusTransportError(
      "BUS_TRANSPORT",
      `the topics in bucket ${this.#bucket} changed ${TRIES} times while a change of them was tried`,
    );
  }

  async #read(): Promise<StoredRecords> {
    interface Answer {
      readonly message: { readonly data?: string; readonly seq: number };
    }
    const found = await this.#api.find<Answer>(
      `STREAM.MSG.GET.KV_${this.#bucket}`,
      { last_by_subj: `$KV.${this.#bucket}.${KEY}` },
      { patienceMs: PATIENCE_MS },
    );
    if (found === undefined) return { records: {}, revision: 0 };
    const text = Buffer.from(found.message.data ?? "", "base64").toString();
    // Written below and by nobody else.
    return { records: JSON.parse(text) as TopicRecords, revision: found.message.seq };
  }

  async #write(records: TopicRecords, revision: number): Promise<boolean> {
    const header = `NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ${revision}\r\n\r\n`;
    const subject = `$KV.${this.#bucket}.${KEY}`;
    if (revision === 0) await this.#createBucket();
    const answer = await this.#link.request(
      subject,
      Buffer.from(JSON.stringify(records)),
      PUT_TIMEOUT_MS,
      {
        headerBytes: Buffer.from(header),
      },
    );
    const { error } = JSON.parse(Buffer.from(answer.data).toString()) as {
      readonly error?: { readonly err_code: number; readonly description: string };
    };
    if (error === undefined) return true;
    if (error.err_code === JETSTREAM_ERRORS["wrongLastSequence"]) return false;
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
