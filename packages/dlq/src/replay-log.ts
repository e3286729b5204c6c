import { BusConfigError, BusTransportError } from "@bus/core";
import type { OutgoingMessage, PluginHost } from "@bus/core";
import { wait } from "@bus/core/adapter";
import { createTopic } from "./dead-letter-topics.ts";
import type { ReaderPool } from "./reader-pool.ts";
import { ReplayLogState, parseLogEntry } from "./replay-log-state.ts";
import type { LetterEntry, LogEntry } from "./replay-log-state.ts";
import { topicExists } from "./topic-reader.ts";
import type { TopicReader } from "./topic-reader.ts";

/** Everything of one dead-letter topic is in one partition: its order decides who is first. */
const LOG_PARTITION = 0;
const LEASE_POLL_MS = 100;
/** Records of leases must outlive the leases before compaction may remove them. */
const LOG_CONFIG = Object.freeze({
  "cleanup.policy": "compact",
  "min.compaction.lag.ms": "3600000",
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a replay log is made of. */
export interface ReplayLogParts {
  readonly host: PluginHost;
  readonly readers: ReaderPool;
  readonly deadLetterTopic: string;
  /** Ends waiting for others, and reading once. */
  readonly signal: AbortSignal;
  /** Ends the log itself; later than `signal`, so that what was begun can be written down. */
  readonly lateSignal: AbortSignal;
}

/** Name of the log of a dead-letter topic. */
export function logTopicOf(deadLetterTopic: string): string {
  return `${deadLetterTopic}.log`;
}

/** What was done with the dead letters of one topic, and who works on them: a topic of its own, followed while it is open. */
export class ReplayLog {
  readonly state: ReplayLogState = new ReplayLogState();
  readonly topic: string;
  readonly #parts: ReplayLogParts;
  #reader: TopicReader | undefined;

  constructor(parts: ReplayLogParts) {
    this.#parts = parts;
    this.topic = logTopicOf(parts.deadLetterTopic);
  }

  /** Read what there is, once; a log that does not exist says nothing. */
  async readOnce(): Promise<void> {
    if (await topicExists(this.#parts.host.transport, this.topic)) await this.#open("end");
    await this.close();
  }

  /** Create the log when it is missing, read what there is and follow it until `close`. */
  async follow(): Promise<void> {
    const { transport } = this.#parts.host;
    const { topics } = transport.capabilities;
    if (topics !== undefined && !(await topicExists(transport, this.topic)))
      await createTopic(topics, { topic: this.topic, partitions: 1, config: LOG_CONFIG });
    await this.#open("closed");
  }

  /** Write entries; resolves when they are in the log and have been read back. */
  async append(entries: readonly (readonly [key: string, entry: LogEntry])[]): Promise<void> {
    if (entries.length === 0) return;
    const messages = entries.map(([key, entry]): OutgoingMessage => {
      const value = encoder.encode(JSON.stringify(entry));
      const partition = LOG_PARTITION;
      return { topic: this.topic, partition, key: encoder.encode(key), value, headers: [] };
    });
    const receipts = await this.#parts.host.publish(messages);
    const last = receipts.at(-1)?.offset;
    if (last === undefined)
      throw new BusConfigError(
        "BUS_UNSUPPORTED",
        "dead letters cannot be replayed without acknowledgements: set requiredAcks",
        { details: { topic: this.topic } },
      );
    await this.#reader?.reached(new Map([[LOG_PARTITION, last + 1n]]));
  }

  /** What was done with a death. */
  letter(deathKey: string): LetterEntry | undefined {
    return this.state.letter(deathKey);
  }

  /** Wait until nobody else works on the topic. */
  async untilFree(run: string): Promise<void> {
    const { clock } = this.#parts.host;
    const { signal, deadLetterTopic } = this.#parts;
    for (;;) {
      const holder = this.state.holder;
      if (holder === undefined || holder.run === run || holder.untilMs <= clock.now()) return;
      if (!(await wait(clock, LEASE_POLL_MS, signal)))
        throw new BusTransportError(
          "BUS_ABORTED",
          `gave up waiting for run ${holder.run}, which works on ${deadLetterTopic}`,
          { details: { holder: holder.run }, cause: signal.reason },
        );
    }
  }

  async close(): Promise<void> {
    if (this.#reader !== undefined) await this.#parts.readers.close(this.#reader);
    this.#reader = undefined;
  }

  async #open(until: "end" | "closed"): Promise<void> {
    const { readers, signal, lateSignal } = this.#parts;
    this.#reader = await readers.open({
      topic: this.topic,
      until,
      signal: until === "end" ? signal : lateSignal,
      read: ({ key, value }) => {
        const entry = parseLogEntry(value);
        if (entry !== undefined && key !== null) this.state.apply(decoder.decode(key), entry);
      },
    });
    await this.#reader.reached();
  }
}
