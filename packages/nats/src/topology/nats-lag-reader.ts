import { BusTransportError } from "@bus/core";
import type {
  Clock,
  GroupLag,
  LagQuery,
  LagReader,
  PartitionLag,
  StartFrom,
  TopicPartition,
  UnknownPartitionLag,
} from "@bus/core";
import type { JetStreamApi } from "../client/jetstream-api.ts";
import type { ConsumerInfo } from "./consumer-admin.ts";
import type { GroupPartition } from "./partition-consumers.ts";
import type { StreamAdmin } from "./stream-admin.ts";
import type { StreamInfo } from "./stream-config.ts";
import { subjectOf } from "./subjects.ts";
import type { TopicDirectory } from "./topic-directory.ts";

/** What a lag reader needs. */
export interface NatsLagReaderParts {
  readonly api: JetStreamApi;
  readonly clock: Clock;
  readonly stream: StreamAdmin;
  readonly directory: TopicDirectory;
  /** The newest consumer of a group's partition; `undefined` when the group has no position there. */
  findConsumer(at: GroupPartition): Promise<ConsumerInfo | undefined>;
  startsFrom(group: string, topic: string): StartFrom;
}

interface TopicQuery {
  readonly group: string;
  readonly topic: string;
  readonly partitions: number | undefined;
}

/** Lag as JetStream knows it: messages not delivered yet, and those delivered and not acknowledged. */
export class NatsLagReader implements LagReader {
  readonly #parts: NatsLagReaderParts;

  constructor(parts: NatsLagReaderParts) {
    this.#parts = parts;
  }

  async read({ group, topics, signal }: LagQuery): Promise<GroupLag> {
    signal?.throwIfAborted();
    const partitions: PartitionLag[] = [];
    const unknown: UnknownPartitionLag[] = [];
    const known = await this.#describe(topics, unknown);
    for (const [topic, count] of known) {
      const read = await this.#topic({ group, topic, partitions: count });
      partitions.push(...read.partitions);
      unknown.push(...read.unknown);
    }
    return { partitions, unknown };
  }

  async olderThan(
    lag: readonly PartitionLag[],
    olderThanMs: number,
    signal?: AbortSignal,
  ): Promise<readonly TopicPartition[]> {
    const { clock, directory } = this.#parts;
    const old: TopicPartition[] = [];
    for (const { topic, partition, committed, low, lagMessages } of lag) {
      signal?.throwIfAborted();
      if (lagMessages === 0n) continue;
      const from = committed === undefined || committed < low ? low : committed;
      await directory.ensure([topic]);
      const subject = subjectOf(topic, partition, directory.partitionsOf(topic));
      const storedAtMs = await this.#timeOf(subject, from);
      if (storedAtMs !== undefined && clock.now() - storedAtMs > olderThanMs)
        old.push({ topic, partition });
    }
    return old;
  }

  async #describe(
    topics: readonly string[],
    unknown: UnknownPartitionLag[],
  ): Promise<ReadonlyMap<string, number | undefined>> {
    const { directory } = this.#parts;
    const fail = (topic: string, error: unknown): void =>
      void unknown.push({ topic, partition: -1, error });
    try {
      const known = await directory.describe(topics);
      for (const topic of topics)
        if (!known.has(topic))
          fail(topic, new BusTransportError("BUS_TOPIC_MISSING", `topic ${topic} does not exist`));
      return known;
    } catch (error) {
      for (const topic of topics) fail(topic, error);
      return new Map();
    }
  }

  async #topic(query: TopicQuery): Promise<GroupLag> {
    const { stream } = this.#parts;
    const { topic, partitions: count } = query;
    const unknown: UnknownPartitionLag[] = [];
    let info: StreamInfo;
    try {
      // Before the consumers: what they have consumed by then lies before the end that is read here.
      info = await stream.get({ subjectsFilter: count === undefined ? topic : `${topic}.*` });
    } catch (error) {
      return { partitions: [], unknown: [{ topic, partition: -1, error }] };
    }
    const read = await Promise.all(
      Array.from({ length: count ?? 1 }, async (_, partition) => {
        try {
          return await this.#partition({ ...query, partition }, info);
        } catch (error) {
          unknown.push({ topic, partition, error });
          return undefined;
        }
      }),
    );
    return { partitions: read.filter((one) => one !== undefined), unknown };
  }

  async #partition(at: TopicQuery & TopicPartition, { state }: StreamInfo): Promise<PartitionLag> {
    const { group, topic, partition, partitions } = at;
    const subject = subjectOf(topic, partition, partitions);
    const stored = state.subjects?.[subject] ?? 0;
    const [end, consumer] = await Promise.all([
      stored === 0 ? undefined : this.#endOf(subject),
      this.#parts.findConsumer({ group, topic, partition }),
    ]);
    if (consumer === undefined) {
      const high = end ?? BigInt(state.last_seq + 1);
      const low = end === undefined ? high : BigInt(Math.max(state.first_seq, 1));
      const isNothing = this.#parts.startsFrom(group, topic) === "latest";
      const lagMessages = isNothing ? 0n : BigInt(stored);
      return { topic, partition, committed: undefined, low, high, lagMessages };
    }
    const lagMessages = BigInt(consumer.num_pending + consumer.num_ack_pending);
    const floor = BigInt(consumer.ack_floor.stream_seq + 1);
    const high = end ?? floor;
    const low = end === undefined ? high : BigInt(Math.max(state.first_seq, 1));
    // Nothing is left before the end: the floor may lie anywhere between the last message and the next.
    const committed = lagMessages === 0n && stored > 0 ? maximum(high, floor) : floor;
    const produced = BigInt(consumer.delivered.consumer_seq + consumer.num_pending);
    return {
      topic,
      partition,
      committed,
      low,
      high: maximum(high, committed),
      lagMessages,
      produced,
    };
  }

  /** Behind the last message of a subject. */
  async #endOf(subject: string): Promise<bigint | undefined> {
    interface Answer {
      readonly message: { readonly seq: number };
    }
    const { api, stream } = this.#parts;
    const found = await api.find<Answer>(`STREAM.MSG.GET.${stream.name}`, {
      last_by_subj: subject,
    });
    return found === undefined ? undefined : BigInt(found.message.seq + 1);
  }

  async #timeOf(subject: string, from: bigint): Promise<number | undefined> {
    interface Answer {
      readonly message: { readonly time: string };
    }
    const { api, stream } = this.#parts;
    const found = await api.find<Answer>(`STREAM.MSG.GET.${stream.name}`, {
      seq: Number(from),
      next_by_subj: subject,
    });
    return found === undefined ? undefined : Date.parse(found.message.time);
  }
}

function maximum(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
