import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import type { LeaseStore, LeaseWatcher, StoredEntry } from "../leases/lease-store.ts";
import { BucketWatch } from "./bucket-watch.ts";
import { JETSTREAM_ERRORS } from "./jetstream-api.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import type { LinkMessage, NatsLink } from "./nats-link.ts";

const WRITE_TIMEOUT_MS = 2_000;
const CREATE_PATIENCE_MS = 15_000;
/** Deletions that are older have been seen by everybody. */
const OLD_DELETION_MS = 3_600_000;
const DELETED = "KV-Operation: DEL\r\n";
const NO_VALUE = new Uint8Array(0);
/** As the server's key-value buckets are, so that its tools show what is in it. */
const BUCKET = Object.freeze({
  max_msgs_per_subject: 1,
  discard: "new",
  allow_rollup_hdrs: true,
  deny_delete: true,
  retention: "limits",
  storage: "file",
});

/** What the store needs. */
export interface BucketLeaseStoreParts {
  readonly api: JetStreamApi;
  readonly link: NatsLink;
  readonly clock: Clock;
  /** Letters, digits, `-` and `_`. */
  readonly bucket: string;
  readonly replicas: number;
}

/** Leases in a key-value bucket of the server, which is created when it does not exist. */
export class BucketLeaseStore implements LeaseStore {
  readonly #parts: BucketLeaseStoreParts;
  #creating: Promise<void> | undefined;

  constructor(parts: BucketLeaseStoreParts) {
    this.#parts = parts;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    interface Answer {
      readonly message: { readonly data?: string; readonly hdrs?: string; readonly seq: number };
    }
    const { api, bucket } = this.#parts;
    const found = await api.find<Answer>(`STREAM.MSG.GET.KV_${bucket}`, {
      last_by_subj: `$KV.${bucket}.${key}`,
    });
    if (found === undefined) return undefined;
    const { data = "", hdrs = "", seq } = found.message;
    const isDeleted = Buffer.from(hdrs, "base64").includes(DELETED);
    const value = isDeleted ? undefined : Buffer.from(data, "base64").toString();
    return { key, value, revision: seq };
  }

  async write(key: string, value: string, revision: number): Promise<number | undefined> {
    return await this.#put({ key, revision, operation: "", payload: Buffer.from(value) });
  }

  async remove(key: string, revision: number): Promise<boolean> {
    const put = { key, revision, operation: DELETED, payload: NO_VALUE };
    return (await this.#put(put)) !== undefined;
  }

  async watch(prefix: string, watcher: LeaseWatcher): Promise<() => void> {
    const { api, link, clock, bucket } = this.#parts;
    await this.#created();
    const watch = new BucketWatch({
      api,
      link,
      clock,
      bucket,
      prefix,
      changed: (message, sequence) => this.#told(message, sequence, watcher),
      ready: () => watcher.ready(),
    });
    try {
      await watch.start();
    } catch (error) {
      watch.stop();
      throw error;
    }
    return () => watch.stop();
  }

  #told(message: LinkMessage, revision: number, watcher: LeaseWatcher): void {
    const { subject, data, headerBytes } = message;
    const key = subject.slice(`$KV.${this.#parts.bucket}.`.length);
    const isDeleted = headerBytes !== undefined && Buffer.from(headerBytes).includes(DELETED);
    const value = isDeleted ? undefined : Buffer.from(data).toString();
    watcher.changed({ key, value, revision });
    if (isDeleted) this.#sweep(message);
  }

  /** Processes come and go, and each leaves a deletion behind: old ones are taken away by whoever meets them. */
  #sweep({ subject, reply }: LinkMessage): void {
    const { api, bucket, clock } = this.#parts;
    const nanos = reply.split(".").at(-2) ?? "";
    const storedAtMs = Number(nanos.slice(0, -6));
    if (clock.now() - storedAtMs < OLD_DELETION_MS) return;
    // The next one who meets it tries again.
    api.call(`STREAM.PURGE.KV_${bucket}`, { filter: subject }).catch(() => undefined);
  }

  async #put(put: {
    readonly key: string;
    readonly revision: number;
    readonly operation: string;
    readonly payload: Uint8Array;
  }): Promise<number | undefined> {
    const { link, bucket } = this.#parts;
    const { key, revision, operation, payload } = put;
    const expected = `Nats-Expected-Last-Subject-Sequence: ${revision}\r\n`;
    const answer = await link.request(`$KV.${bucket}.${key}`, payload, WRITE_TIMEOUT_MS, {
      headerBytes: Buffer.from(`NATS/1.0\r\n${operation}${expected}\r\n`),
    });
    interface Answer {
      readonly seq?: number;
      readonly error?: { readonly err_code?: number; readonly description: string };
    }
    const { seq, error } = JSON.parse(Buffer.from(answer.data).toString()) as Answer;
    if (error?.err_code === JETSTREAM_ERRORS["wrongLastSequence"]) return undefined;
    if (error === undefined && seq !== undefined) return seq;
    throw new BusTransportError(
      "BUS_TRANSPORT",
      `bucket ${bucket} did not take a lease: ${error?.description ?? "no sequence"}`,
      { details: { bucket, key, errorCode: error?.err_code } },
    );
  }

  async #created(): Promise<void> {
    this.#creating ??= this.#create().catch((error: unknown) => {
      this.#creating = undefined;
      throw error;
    });
    await this.#creating;
  }

  async #create(): Promise<void> {
    const { api, bucket, replicas } = this.#parts;
    const name = `KV_${bucket}`;
    const found = await api.find(`STREAM.INFO.${name}`, undefined, {
      patienceMs: CREATE_PATIENCE_MS,
    });
    if (found !== undefined) return;
    const config = { ...BUCKET, name, subjects: [`$KV.${bucket}.>`], num_replicas: replicas };
    await api.call(`STREAM.CREATE.${name}`, config, { patienceMs: CREATE_PATIENCE_MS });
  }
}
