import { BusTransportError } from "@bus/core";
import type {
  Clock,
  GroupLag,
  LagQuery,
  LagReader,
  PartitionLag,
  TopicPartition,
  UnknownPartitionLag,
} from "@bus/core";
import type { KafkaDriver, PartitionEnds } from "./kafka-driver.ts";

/** What a lag reader needs. */
export interface KafkaLagReaderParts {
  readonly driver: Pick<KafkaDriver, "admin">;
  readonly clock: Clock;
  /** Where a group begins in a topic without a committed offset. */
  readonly startsFrom: (group: string, topic: string) => "earliest" | "latest" | "none";
}

/** Partition number that stands for a whole topic. */
const WHOLE_TOPIC = -1;

/** Lag by asking the brokers: one look-up for the group, one per topic. */
export class KafkaLagReader implements LagReader {
  readonly #parts: KafkaLagReaderParts;

  constructor(parts: KafkaLagReaderParts) {
    this.#parts = parts;
  }

  async read({ group, topics, signal }: LagQuery): Promise<GroupLag> {
    const reading = Promise.all([
      settled(this.#parts.driver.admin.committedOffsets(group, topics)),
      ...topics.map((topic) => settled(this.#parts.driver.admin.topicOffsets(topic))),
    ]);
    const [committed, ...ends] = await abortable(reading, signal);
    if (committed.kind === "failed")
      return { partitions: [], unknown: topics.map((topic) => unknown(topic, committed.error)) };
    const offsets = new Map(committed.items.map((one) => [key(one), one.offset]));
    const partitions: PartitionLag[] = [];
    const unknowns: UnknownPartitionLag[] = [];
    for (const [index, topic] of topics.entries()) {
      const found = ends[index];
      if (found?.kind === "read")
        partitions.push(...found.items.map((one) => this.#lag(group, one, offsets)));
      else unknowns.push(unknown(topic, found?.error));
    }
    return { partitions, unknown: unknowns };
  }

  async olderThan(
    lag: readonly PartitionLag[],
    olderThanMs: number,
    signal?: AbortSignal,
  ): Promise<readonly TopicPartition[]> {
    const behind = lag.filter(({ lagMessages }) => lagMessages > 0n);
    const topics = [...new Set(behind.map(({ topic }) => topic))];
    const atMs = this.#parts.clock.now() - olderThanMs;
    const found = await abortable(
      Promise.all(topics.map((topic) => this.#parts.driver.admin.offsetsAtTime(topic, atMs))),
      signal,
    );
    const firstYounger = new Map(found.flat().map((one) => [key(one), one.offset]));
    return behind
      .filter((one) => (firstYounger.get(key(one)) ?? 0n) > nextOffset(one))
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  #lag(group: string, ends: PartitionEnds, offsets: ReadonlyMap<string, bigint>): PartitionLag {
    const { topic, partition, low, high } = ends;
    const committed = offsets.get(key(ends));
    const startsAtEnd =
      committed === undefined && this.#parts.startsFrom(group, topic) === "latest";
    const behind = startsAtEnd ? 0n : high - nextOffset({ committed, low });
    return { topic, partition, committed, low, high, lagMessages: behind > 0n ? behind : 0n };
  }
}

/** The first offset that the group has not consumed and that still exists. */
function nextOffset({ committed, low }: Pick<PartitionLag, "committed" | "low">): bigint {
  return committed === undefined || committed < low ? low : committed;
}

function unknown(topic: string, error: unknown): UnknownPartitionLag {
  return { topic, partition: WHOLE_TOPIC, error };
}

type Reading<TItem> =
  | { readonly kind: "read"; readonly items: readonly TItem[] }
  | { readonly kind: "failed"; readonly error: unknown };

async function settled<TItem>(asking: Promise<readonly TItem[]>): Promise<Reading<TItem>> {
  try {
    return { kind: "read", items: await asking };
  } catch (error) {
    return { kind: "failed", error };
  }
}

function abortable<TResult>(
  work: Promise<TResult>,
  signal: AbortSignal | undefined,
): Promise<TResult> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void =>
      reject(
        new BusTransportError("BUS_ABORTED", "reading the lag was aborted", {
          cause: signal.reason,
        }),
      );
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function key({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
