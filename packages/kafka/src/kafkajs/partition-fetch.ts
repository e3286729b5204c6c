import type { Clock, TopicPartition } from "@bus/core";
import type { Broker } from "kafkajs";

/** Shortest time that a fetch may wait at the broker while a partition is paused: it may be wanted again at any moment. */
const SHORTEST_WAIT_MS = 5;
/** A partition that has been paused for long may wait this part of that time once more. */
const PART_OF_PAUSE = 4;

/** One Fetch request as kafkajs' consumer makes it. */
export type FetchRequest = Parameters<Broker["fetch"]>[0];

/** The topics of a Fetch request. */
type FetchTopics = FetchRequest["topics"];

/** A broker of kafkajs, as far as it is looked at here. */
export type FetchingBroker = Pick<Broker, "fetch">;

/** The connections of a consumer of kafkajs, as far as they are looked at here. */
export interface FetchingCluster {
  findBroker(node: { readonly nodeId: string }): Promise<FetchingBroker>;
}

/** What a fetch needs. */
export interface PartitionFetchParts {
  readonly clock: Clock;
  /** Kafka `fetch.max.wait.ms`. */
  readonly maxWaitMs: number;
  /** Called with every request, paused partitions included, before it is made. */
  readonly onFetching: (request: FetchRequest) => void;
  /** Called with every answer, before kafkajs sees it; returns what kafkajs is to see. */
  readonly onFetched: (request: FetchRequest, answer: FetchAnswer) => FetchAnswer;
}

/** The answer to a Fetch request as far as it is looked at here. */
export interface FetchAnswer {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly FetchedPartitionAnswer[];
  }[];
}

/** One partition of an answer. */
export interface FetchedPartitionAnswer {
  readonly partition: number;
  readonly highWatermark: string;
  /** Since version 4 of the request. */
  readonly lastStableOffset?: string;
  readonly messages: readonly unknown[];
}

/**
 * Pauses partitions where a consumer of kafkajs fetches, instead of through its `pause`: nothing that is on its way is
 * thrown away and read again, pauses outlast a consumer that is rebuilt, and a partition that is wanted again is
 * fetched at once, not when the wait of a fetch without it has passed at the broker.
 */
export class PartitionFetch {
  readonly #parts: PartitionFetchParts;
  readonly #adopted = new WeakSet<object>();
  /** When each partition was paused, by topic and number, in `Clock.monotonicMs`. */
  readonly #pausedAtMs = new Map<string, Map<number, number>>();
  #wakers = new Set<() => void>();

  constructor(parts: PartitionFetchParts) {
    this.#parts = parts;
  }

  /** Take over the connections of a new consumer. */
  attach(cluster: FetchingCluster): void {
    const find = cluster.findBroker.bind(cluster);
    cluster.findBroker = async (node) => this.#adopt(await find(node));
  }

  pause({ topic, partition }: TopicPartition): void {
    const partitions = this.#pausedAtMs.get(topic) ?? new Map<number, number>();
    if (!partitions.has(partition)) partitions.set(partition, this.#parts.clock.monotonicMs());
    this.#pausedAtMs.set(topic, partitions);
  }

  resume({ topic, partition }: TopicPartition): void {
    const partitions = this.#pausedAtMs.get(topic);
    if (partitions?.delete(partition) !== true) return;
    if (partitions.size === 0) this.#pausedAtMs.delete(topic);
    this.wake();
  }

  /** End the waits of fetches that have nothing to fetch. */
  wake(): void {
    const wakers = this.#wakers;
    this.#wakers = new Set();
    for (const waker of wakers) waker();
  }

  #adopt(broker: FetchingBroker): FetchingBroker {
    if (this.#adopted.has(broker)) return broker;
    this.#adopted.add(broker);
    const fetch = broker.fetch.bind(broker);
    broker.fetch = async (request) => {
      this.#parts.onFetching(request);
      const wanted = this.#wanted(request.topics);
      if (wanted.length === 0) {
        await this.#sleep(this.#parts.maxWaitMs);
        return { responses: [] };
      }
      const narrowed = { ...request, maxWaitTime: this.#waitMs(request.topics), topics: wanted };
      // kafkajs types the answer as any; `FetchAnswer` is what its versions 4 to 11 have in common.
      const answer = (await fetch(narrowed)) as FetchAnswer;
      return this.#parts.onFetched(narrowed, answer);
    };
    return broker;
  }

  #wanted(topics: FetchTopics): FetchTopics {
    if (this.#pausedAtMs.size === 0) return topics;
    return topics
      .map(({ topic, partitions }) => {
        const paused = this.#pausedAtMs.get(topic);
        return {
          topic,
          partitions: partitions.filter(({ partition }) => paused?.has(partition) !== true),
        };
      })
      .filter(({ partitions }) => partitions.length > 0);
  }

  /** How long the broker may hold the answer back: the fuller the pauses, the shorter, for they may end at any moment. */
  #waitMs(topics: FetchTopics): number {
    const { clock, maxWaitMs } = this.#parts;
    let waitMs = maxWaitMs;
    for (const { topic, partitions } of topics) {
      const paused = this.#pausedAtMs.get(topic);
      if (paused === undefined) continue;
      for (const { partition } of partitions) {
        const pausedAtMs = paused.get(partition);
        if (pausedAtMs === undefined) continue;
        const pausedForMs = clock.monotonicMs() - pausedAtMs;
        waitMs = Math.min(
          waitMs,
          Math.max(Math.ceil(pausedForMs / PART_OF_PAUSE), SHORTEST_WAIT_MS),
        );
      }
    }
    return waitMs;
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.schedule(() => {
        this.#wakers.delete(waker);
        resolve();
      }, delayMs);
      const waker = (): void => {
        cancel();
        resolve();
      };
      this.#wakers.add(waker);
    });
  }
}
