import { BusTransportError } from "@bus/core";
import { JETSTREAM_ERRORS, jetStreamErrorOf } from "../client/jetstream-api.ts";
import type { JetStreamApi } from "../client/jetstream-api.ts";
import type { ResolvedStreamOptions } from "../nats-options.ts";
import { newStreamConfig } from "./stream-config.ts";
import type { StreamInfo } from "./stream-config.ts";
import { coverage } from "./subjects.ts";

/** How long an election or a server that starts is waited for. */
const PATIENCE_MS = 15_000;

/** The stream of the bus. */
export class StreamAdmin {
  readonly #api: JetStreamApi;
  readonly #options: ResolvedStreamOptions;

  constructor(api: JetStreamApi, options: ResolvedStreamOptions) {
    this.#api = api;
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** The stream; `undefined` when there is none. `subjectsFilter`: count messages of these subjects. */
  find(options: { readonly subjectsFilter?: string } = {}): Promise<StreamInfo | undefined> {
    const { subjectsFilter } = options;
    const body = subjectsFilter === undefined ? undefined : { subjects_filter: subjectsFilter };
    return this.#api.find<StreamInfo>(`STREAM.INFO.${this.name}`, body, {
      patienceMs: PATIENCE_MS,
    });
  }

  /** As `find`. @throws BusTransportError `BUS_TOPIC_MISSING` when there is none. */
  async get(options: { readonly subjectsFilter?: string } = {}): Promise<StreamInfo> {
    const found = await this.find(options);
    if (found !== undefined) return found;
    const message = `stream ${this.name} does not exist; create it, or set stream.ensure to create`;
    throw new BusTransportError("BUS_TOPIC_MISSING", message, {
      details: { path: "stream.name", stream: this.name },
    });
  }

  /** Have the stream take these subjects: create it or add what it lacks. @returns Whether something was changed. */
  async take(subjects: readonly string[]): Promise<boolean> {
    const info = await this.find();
    if (info === undefined) return await this.#create(subjects);
    const had = info.config.subjects ?? [];
    const isTaken = coverage(had);
    const missing = subjects.filter((subject) => !isTaken(subject));
    if (missing.length === 0) return false;
    const config = { ...info.config, subjects: [...had, ...missing] };
    await this.#api.call(`STREAM.UPDATE.${this.name}`, config, { patienceMs: PATIENCE_MS });
    return true;
  }

  /** Take subjects away, and the messages on them. Subjects that a wildcard of the stream covers lose only messages. */
  async drop(subjects: readonly string[]): Promise<void> {
    const info = await this.find();
    if (info === undefined) return;
    const gone = new Set(subjects);
    const had = info.config.subjects ?? [];
    const left = had.filter((subject) => !gone.has(subject));
    if (left.length < had.length && left.length > 0) {
      const config = { ...info.config, subjects: left };
      await this.#api.call(`STREAM.UPDATE.${this.name}`, config, { patienceMs: PATIENCE_MS });
    }
    for (const filter of subjects)
      await this.#api.call(`STREAM.PURGE.${this.name}`, { filter }, { patienceMs: PATIENCE_MS });
  }

  async #create(subjects: readonly string[]): Promise<boolean> {
    const config = newStreamConfig(this.#options, [...this.#options.subjects, ...subjects]);
    try {
      await this.#api.call(`STREAM.CREATE.${this.name}`, config, { patienceMs: PATIENCE_MS });
      return true;
    } catch (error) {
      // Somebody else created it in this moment, with other subjects.
      if (jetStreamErrorOf(error) === JETSTREAM_ERRORS["streamNameInUse"])
        return await this.take(subjects);
      throw error;
    }
  }
}
