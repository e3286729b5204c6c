import { BusTransportError } from "@bus/core";
import type {
  ActiveSubscription,
  Clock,
  GroupLag,
  LagReader,
  PartitionLag,
  TopicPartition,
} from "@bus/core";
import { unlessAborted } from "./unless-aborted.ts";
import { isBehind } from "./verdict.ts";
import type { LagLimits, LagReading, PartitionBacklog, UnknownPartition } from "./verdict.ts";

/** What a poller reads from. */
export interface LagPollerParts {
  readonly reader: LagReader;
  readonly clock: Clock;
  readonly subscriptions: () => readonly ActiveSubscription[];
}

/** From where on lag is a backlog, by count and by age. */
export interface PollLimits extends LagLimits {
  readonly maxLagMs: number;
}

/** What one poll found, and whose lag it is. */
export interface Poll extends LagReading {
  readonly groups: readonly string[];
}

interface GroupTopics {
  readonly group: string;
  readonly topics: readonly string[];
  /** Age of the oldest unsettled message of each partition that has one here. */
  readonly ages: ReadonlyMap<string, number>;
}

/** Reads the lag of every group of a bus, in messages and in time. Never rejects: what cannot be read is unknown. */
export class LagPoller {
  readonly #parts: LagPollerParts;
  readonly #limits: PollLimits;

  constructor(parts: LagPollerParts, limits: PollLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  async poll(signal: AbortSignal): Promise<Poll> {
    const wanted = this.#groups();
    const readings = await Promise.all(wanted.map((group) => this.#readGroup(group, signal)));
    return {
      groups: wanted.map(({ group }) => group),
      partitions: readings.flatMap(({ partitions }) => partitions),
      unknown: readings.flatMap(({ unknown }) => unknown),
    };
  }

  #groups(): readonly GroupTopics[] {
    const nowMs = this.#parts.clock.now();
    const groups = new Map<string, { topics: string[]; ages: Map<string, number> }>();
    for (const subscription of this.#parts.subscriptions()) {
      const { spec } = subscription;
      const entry = groups.get(spec.group) ?? { topics: [], ages: new Map<string, number>() };
      groups.set(spec.group, entry);
      entry.topics.push(spec.topic);
      for (const state of subscription.partitions()) {
        if (state.oldestUnsettled === undefined) continue;
        entry.ages.set(idOf(state), Math.max(0, nowMs - state.oldestUnsettled.timestampMs));
      }
    }
    return Array.from(groups, ([group, { topics, ages }]) => ({ group, topics, ages }));
  }

  async #readGroup({ group, topics, ages }: GroupTopics, signal: AbortSignal): Promise<LagReading> {
    let lag: GroupLag;
    try {
      lag = await inTime(this.#parts.reader.read({ group, topics, signal }), signal);
    } catch (error) {
      return {
        partitions: [],
        unknown: topics.map((topic) => ({ group, topic, partition: -1, error })),
      };
    }
    const unknown = [...lag.unknown, ...silentTopics(topics, lag)].map((partition) => ({
      ...partition,
      group,
    }));
    const counted = lag.partitions.map((partition) =>
      this.#withAge({ partition, group, ageMs: ages.get(idOf(partition)) }),
    );
    return this.#withLookUps({ partitions: counted, unknown }, signal);
  }

  #withAge({
    partition,
    group,
    ageMs,
  }: {
    partition: PartitionLag;
    group: string;
    ageMs: number | undefined;
  }): PartitionBacklog {
    const oldestAgeMs = partition.lagMessages > 0n ? ageMs : undefined;
    return {
      ...partition,
      group,
      oldestAgeMs,
      late: oldestAgeMs !== undefined && oldestAgeMs > this.#limits.maxLagMs,
    };
  }

  /** Ask the broker for the age where no message is at hand; not when the verdict is out already. */
  async #withLookUps(reading: LagReading, signal: AbortSignal): Promise<LagReading> {
    const { partitions } = reading;
    const ageless = partitions.filter(
      ({ lagMessages, oldestAgeMs }) => lagMessages > 0n && oldestAgeMs === undefined,
    );
    if (ageless.length === 0 || partitions.some((partition) => isBehind(partition, this.#limits)))
      return reading;
    const { maxLagMs } = this.#limits;
    try {
      const old = await inTime(this.#parts.reader.olderThan(ageless, maxLagMs, signal), signal);
      const late = new Set(old.map(idOf));
      return {
        ...reading,
        partitions: partitions.map((partition) =>
          late.has(idOf(partition))
            ? { ...partition, oldestAgeMs: maxLagMs, late: true }
            : partition,
        ),
      };
    } catch (error) {
      const blind = ageless.map(({ group, topic, partition }): UnknownPartition => ({
        group,
        topic,
        partition,
        error,
      }));
      return { ...reading, unknown: [...reading.unknown, ...blind] };
    }
  }
}

/** A reader that leaves a topic out has not said that nothing is behind. */
function silentTopics(
  topics: readonly string[],
  { partitions, unknown }: GroupLag,
): readonly Omit<UnknownPartition, "group">[] {
  const told = new Set([...partitions, ...unknown].map(({ topic }) => topic));
  return topics
    .filter((topic) => !told.has(topic))
    .map((topic) => ({
      topic,
      partition: -1,
      error: new BusTransportError("BUS_TRANSPORT", `no partition of ${topic} was reported`, {
        details: { topic },
      }),
    }));
}

/** A reader that ignores its signal must not keep a check waiting. */
function inTime<TValue>(reading: Promise<TValue>, signal: AbortSignal): Promise<TValue> {
  return unlessAborted(reading, signal, (reason) =>
    reason instanceof Error
      ? reason
      : new BusTransportError("BUS_TRANSPORT", "reading lag was aborted", { cause: reason }),
  );
}

function idOf({ topic, partition }: TopicPartition): string {
  return `${partition}/${topic}`;
}
