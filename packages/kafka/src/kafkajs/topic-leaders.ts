import type { BusError, Clock } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import { brokerError } from "../map-kafka-error.ts";
import { mapKafkajsError } from "./map-kafkajs-error.ts";
import type { TopicMetadata } from "./metadata-request.ts";

/** Codes of the Kafka protocol. */
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;

const NO_LEADER = -1;
/** How long a topic may be unknown to a broker that has not heard of it yet. */
const UNKNOWN_PATIENCE_MS = 2_000;
/** Pause between two refreshes, so that a missing leader is not asked for in a loop. */
const REFRESH_GAP_MS = 100;
const BACK_OFF = Object.freeze({ baseMs: REFRESH_GAP_MS, maxMs: 2_000, jitter: 0.2 });

/** What leaders are found with. */
export interface TopicLeadersParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** After so long a topic is looked up again, to notice new partitions. */
  readonly maxAgeMs: number;
  /** How long `load` tries. */
  readonly loadTimeoutMs: number;
  readonly metadata: (topics: readonly string[]) => Promise<readonly TopicMetadata[]>;
  /** A refresh has ended; leaders may have changed. */
  readonly onRefreshed: () => void;
  readonly onFailed: (error: BusError) => void;
}

interface KnownTopic {
  readonly leaders: readonly number[];
  readonly loadedAtMs: number;
}

/** Number of partitions and their leaders, by topic, as far as a producer needs them. */
export class TopicLeaders {
  readonly #parts: TopicLeadersParts;
  readonly #topics = new Map<string, KnownTopic>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #stale = new Set<string>();
  #isRefreshing = false;
  #attempt = 0;
  #cancelRefresh = (): void => undefined;
  readonly #closed = new AbortController();

  constructor(parts: TopicLeadersParts) {
    this.#parts = parts;
  }

  partitionCount(topic: string): number | undefined {
    return this.#topics.get(topic)?.leaders.length;
  }

  /** Node id; −1 while there is none. */
  leaderOf(topic: string, partition: number): number {
    const known = this.#topics.get(topic);
    if (known === undefined) return NO_LEADER;
    if (this.#parts.clock.monotonicMs() - known.loadedAtMs > this.#parts.maxAgeMs)
      this.refresh([topic]);
    return known.leaders[partition] ?? NO_LEADER;
  }

  /** Look a topic up; calls for one topic share the work. @throws BusTransportError `BUS_TOPIC_MISSING` and others. */
  load(topic: string): Promise<void> {
    const running = this.#loading.get(topic);
    if (running !== undefined) return running;
    const loading = this.#load(topic).finally(() => this.#loading.delete(topic));
    this.#loading.set(topic, loading);
    return loading;
  }

  /** Look topics up again soon; `onRefreshed` tells when that is done. */
  refresh(topics: readonly string[]): void {
    for (const topic of topics) this.#stale.add(topic);
    if (this.#isRefreshing || this.#closed.signal.aborted) return;
    this.#isRefreshing = true;
    void this.#refresh();
  }

  close(): void {
    this.#closed.abort();
    this.#cancelRefresh();
  }

  async #load(topic: string): Promise<void> {
    const { clock, loadTimeoutMs, random } = this.#parts;
    const startedMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#lookUp(topic);
      if (error === undefined) return;
      const patienceMs = error.code === "BUS_TOPIC_MISSING" ? UNKNOWN_PATIENCE_MS : loadTimeoutMs;
      const isMendable = error.retryable || error.code === "BUS_TOPIC_MISSING";
      if (!isMendable || clock.monotonicMs() - startedMs >= patienceMs) throw error;
      if (!(await wait(clock, backOffMs(attempt, BACK_OFF, random), this.#closed.signal)))
        throw error;
    }
  }

  /** @returns Why it is still not known. */
  async #lookUp(topic: string): Promise<BusError | undefined> {
    try {
      const [metadata] = await this.#parts.metadata([topic]);
      return this.#note(topic, metadata);
    } catch (error) {
      return mapKafkajsError(error, { doing: `looking up topic ${topic}`, details: { topic } });
    }
  }

  #note(topic: string, metadata: TopicMetadata | undefined): BusError | undefined {
    const errorCode = metadata?.errorCode ?? UNKNOWN_TOPIC_OR_PARTITION;
    const isUsable = errorCode === 0 || errorCode === LEADER_NOT_AVAILABLE;
    if (metadata === undefined || !isUsable || metadata.partitions.length === 0) {
      return brokerError(errorCode === 0 ? LEADER_NOT_AVAILABLE : errorCode, {
        doing: `looking up topic ${topic}`,
        details: { topic },
      });
    }
    const leaders = metadata.partitions.map(({ leader }) => leader);
    this.#topics.set(topic, { leaders, loadedAtMs: this.#parts.clock.monotonicMs() });
    return undefined;
  }

  async #refresh(): Promise<void> {
    const { clock, random, metadata, onFailed, onRefreshed } = this.#parts;
    const topics = [...this.#stale];
    this.#stale.clear();
    try {
      for (const found of await metadata(topics)) this.#note(found.topic, found);
      this.#attempt = 0;
    } catch (error) {
      this.#attempt += 1;
      for (const topic of topics) this.#stale.add(topic);
      onFailed(mapKafkajsError(error, { doing: `looking up topics ${topics.join(", ")}` }));
    }
    const pauseMs =
      this.#attempt === 0 ? REFRESH_GAP_MS : backOffMs(this.#attempt, BACK_OFF, random);
    this.#cancelRefresh = clock.schedule(() => {
      this.#isRefreshing = false;
      if (this.#stale.size > 0) this.refresh([]);
    }, pauseMs);
    onRefreshed();
  }
}
