import { BusError } from "@bus/core";
import type { TopicPartition } from "@bus/core";
import type { ConsumerSink, RecordWalk } from "../kafka-driver.ts";
import { NO_RECORDS } from "../no-records.ts";
import type { FetchAnswer, FetchedPartitionAnswer, FetchRequest } from "./partition-fetch.ts";
import { FetchedRecordBatch, UnreadableRecordBatch } from "./fetched-record-batch.ts";
import { mapKafkajsError } from "./map-kafkajs-error.ts";
import { messageSetWalk } from "./message-set-walk.ts";
import { RecordBatchWalk } from "./record-batch-walk.ts";

/** An end that no position lies behind. */
const NOT_KNOWN = Number.MAX_SAFE_INTEGER;

/** What a hand-over needs. */
export interface FetchHandOverParts {
  readonly sink: Pick<ConsumerSink, "records" | "unreadable">;
  /** Whether the end of a partition is its last stable offset or its high water mark. */
  readonly isolationLevel: "read_committed" | "read_uncommitted";
}

/** What one fetch brought for one partition. */
interface Part {
  readonly topic: string;
  readonly fetchedFrom: number;
  readonly fetched: FetchedPartitionAnswer;
}

/**
 * Hands what a fetch brought to the sink before kafkajs goes on with it: kafkajs itself needs the answer for its
 * positions only, and its own way to a handler would hide the end of the partition and what was filtered.
 */
export class FetchHandOver {
  readonly #parts: FetchHandOverParts;
  /** Partitions whose first position was told since the member last joined. */
  #begun = new Set<string>();
  #waiting: { readonly keys: readonly string[]; readonly resolve: () => void }[] = [];

  constructor(parts: FetchHandOverParts) {
    this.#parts = parts;
  }

  /** The member has joined and owns these partitions: positions may have changed. */
  joined(partitions: readonly TopicPartition[]): void {
    this.#begun = new Set();
    const owned = new Set(partitions.map(keyOf));
    this.#waiting = this.#waiting.map(({ keys, resolve }) => ({
      keys: keys.filter((key) => owned.has(key)),
      resolve,
    }));
    this.#tellBegun();
  }

  /** Resolves when it is known where each of these partitions is read from. */
  begun(partitions: readonly TopicPartition[]): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ keys: partitions.map(keyOf), resolve });
      this.#tellBegun();
    });
  }

  /** A fetch is about to be made: tell where partitions begin, also those that bring nothing or are paused. */
  fetching(request: FetchRequest): void {
    const before = this.#begun.size;
    for (const { topic, partitions } of request.topics) {
      for (const { partition, fetchOffset } of partitions) {
        const key = keyOf({ topic, partition });
        if (this.#begun.has(key)) continue;
        this.#begun.add(key);
        const fetchedFrom = Number(fetchOffset);
        const nothing = {
          fetchedFrom,
          nextPosition: fetchedFrom,
          end: NOT_KNOWN,
          records: NO_RECORDS,
        };
        this.#parts.sink.records({ topic, partition, ...nothing });
      }
    }
    if (this.#begun.size > before) this.#tellBegun();
  }

  /** @returns The answer as kafkajs is to see it: without what could not be read, so that it stays at that position. */
  handOver(request: FetchRequest, answer: FetchAnswer): FetchAnswer {
    const responses = answer.responses.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map((fetched) => {
        const fetchedFrom = offsetAskedFor(request, topicName, fetched.partition);
        const isRead = this.#handOver({ topic: topicName, fetchedFrom, fetched });
        return isRead ? fetched : { ...fetched, messages: [] };
      }),
    }));
    return { ...answer, responses };
  }

  #handOver(part: Part): boolean {
    const { topic, fetchedFrom, fetched } = part;
    const { partition } = fetched;
    try {
      const records = this.#walk(part);
      if (records === undefined) return true;
      const nextPosition = nextPositionOf(part);
      this.#parts.sink.records({
        topic,
        partition,
        fetchedFrom,
        nextPosition,
        end: this.#end(fetched),
        records,
      });
      return true;
    } catch (error) {
      const failure = BusError.is(error)
        ? error
        : mapKafkajsError(error, { doing: `reading ${topic}[${partition}]` });
      this.#parts.sink.unreadable({ topic, partition }, failure);
      return false;
    }
  }

  /** @returns `undefined` when there is nothing to tell. */
  #walk({ topic, fetched: { partition, messages } }: Part): RecordWalk | undefined {
    const first = messages[0];
    if (first === undefined) return undefined;
    if (first instanceof UnreadableRecordBatch) throw first.error;
    if (first instanceof FetchedRecordBatch)
      return new RecordBatchWalk(messages.filter((one) => one instanceof FetchedRecordBatch));
    return messageSetWalk({ topic, partition }, messages);
  }

  #tellBegun(): void {
    const isBegun = (keys: readonly string[]): boolean => keys.every((key) => this.#begun.has(key));
    for (const { keys, resolve } of this.#waiting) if (isBegun(keys)) resolve();
    this.#waiting = this.#waiting.filter(({ keys }) => !isBegun(keys));
  }

  #end({ highWatermark, lastStableOffset }: FetchedPartitionAnswer): number {
    const stable = Number(lastStableOffset ?? -1);
    return this.#parts.isolationLevel === "read_committed" && stable >= 0
      ? stable
      : Number(highWatermark);
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function offsetAskedFor(request: FetchRequest, topic: string, partition: number): number {
  for (const asked of request.topics) {
    if (asked.topic !== topic) continue;
    const found = asked.partitions.find((one) => one.partition === partition);
    if (found !== undefined) return Number(found.fetchOffset);
  }
  return 0;
}

/** Behind the last element, whatever it holds: kafkajs goes on there, too. */
function nextPositionOf({ fetchedFrom, fetched }: Part): number {
  const last = fetched.messages.at(-1);
  const offset =
    typeof last === "object" && last !== null && "offset" in last ? Number(last.offset) : -1;
  return Math.max(fetchedFrom, offset + 1);
}
