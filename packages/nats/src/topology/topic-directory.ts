import { BusConfigError, BusTransportError } from "@bus/core";
import type { TopicDrift } from "@bus/core";
import type { ResolvedNatsOptions } from "../nats-options.ts";
import type { StreamAdmin } from "./stream-admin.ts";
import { streamDrift } from "./stream-config.ts";
import { checkTopic, coverage, subjectsOf } from "./subjects.ts";
import type { TopicRecords, TopicRecordStore } from "./topic-records.ts";

/** What a directory needs. */
export interface TopicDirectoryParts {
  readonly options: ResolvedNatsOptions;
  readonly stream: StreamAdmin;
  readonly records: TopicRecordStore;
  readonly onDrift: (drift: TopicDrift) => void;
}

/** Knows how many partitions each topic has, and makes sure that the stream takes a topic before it is used. */
export class TopicDirectory {
  readonly #parts: TopicDirectoryParts;
  readonly #partitions = new Map<string, number | undefined>();
  readonly #ensuring = new Map<string, Promise<void>>();

  constructor(parts: TopicDirectoryParts) {
    this.#parts = parts;
  }

  /** Whether a topic was ensured. */
  knows(topic: string): boolean {
    return this.#partitions.has(topic);
  }

  /** Partitions of a topic that was ensured; `undefined` when topics have none. */
  partitionsOf(topic: string): number | undefined {
    return this.#partitions.get(topic);
  }

  /**
   * Do what `stream.ensure` says for topics that are used for the first time.
   *
   * @throws BusConfigError `BUS_CONFIG` for an illegal name.
   * @throws BusTransportError `BUS_TOPIC_MISSING`, `BUS_TOPIC_DRIFT`.
   */
  async ensure(topics: readonly string[]): Promise<void> {
    for (const topic of topics) checkTopic(topic);
    await Promise.all(
      topics
        .filter((topic) => !this.#partitions.has(topic))
        .map((topic) => {
          const running = this.#ensuring.get(topic) ?? this.#ensureOne(topic);
          this.#ensuring.set(topic, running);
          return running.finally(() => this.#ensuring.delete(topic));
        }),
    );
  }

  /** Record topics and have the stream take them; those recorded before stay as they are. @returns Their drift. */
  async create(wanted: ReadonlyMap<string, number | undefined>): Promise<readonly TopicDrift[]> {
    for (const topic of wanted.keys()) checkTopic(topic);
    const { records } = this.#parts;
    let recorded = await records.read();
    const isNew = [...wanted.keys()].some((topic) => recorded[topic] === undefined);
    if (isNew || (await this.#lacks(recorded)))
      await records.update(
        (before) => {
          const added = [...wanted].filter(([topic]) => before[topic] === undefined);
          if (added.length === 0) return before;
          const counts = added.map(([topic, count]) => [topic, count ?? 0] as const);
          return { ...before, ...Object.fromEntries(counts) };
        },
        async (after) => {
          recorded = after;
          await this.#parts.stream.take(allSubjects(after));
        },
      );
    return this.#driftOf(wanted, recorded);
  }

  /** Forget topics, their subjects and their messages. */
  async delete(topics: readonly string[]): Promise<void> {
    const { records, stream } = this.#parts;
    const before = await records.read();
    const gone = new Set(topics);
    await records.update(
      (now) => Object.fromEntries(Object.entries(now).filter(([topic]) => !gone.has(topic))),
      () =>
        stream.drop(
          topics
            .filter((topic) => before[topic] !== undefined)
            .flatMap((topic) => subjectsOf(topic, countOf(before, topic))),
        ),
    );
    for (const topic of topics) this.#partitions.delete(topic);
  }

  /** Partitions of topics that exist; a topic that the stream does not take is left out. */
  async describe(topics: readonly string[]): Promise<ReadonlyMap<string, number | undefined>> {
    const { records, stream } = this.#parts;
    const [info, recorded] = [await stream.find(), await records.read()];
    const taken = info?.config.subjects ?? [];
    const found = topics
      .map((topic) => [topic, this.#counted(topic, recorded)] as const)
      .filter(([topic, count]) => isTaken(topic, count, taken));
    return new Map(found);
  }

  /** Report what the stream has otherwise than asked for. */
  async reportDrift(): Promise<void> {
    const { options, stream, onDrift } = this.#parts;
    if (options.stream.ensure === "skip") return;
    const info = await stream.find();
    if (info === undefined) return;
    for (const drift of streamDrift(options.stream, info.config)) onDrift(drift);
  }

  async #ensureOne(topic: string): Promise<void> {
    const { options, records, stream } = this.#parts;
    if (options.stream.ensure === "skip")
      return void this.#partitions.set(topic, options.partitions);
    if (options.stream.ensure === "create")
      await this.create(new Map([[topic, options.partitions]]));
    const recorded = await records.read();
    const count = this.#counted(topic, recorded);
    if ((count === undefined) !== (options.partitions === undefined))
      throw mismatch(topic, count, options.partitions);
    const { config } = await stream.get();
    if (!isTaken(topic, count, config.subjects ?? [])) throw missing(topic, options.stream.name);
    this.#partitions.set(topic, count);
  }

  #counted(topic: string, records: TopicRecords): number | undefined {
    return records[topic] === undefined ? this.#parts.options.partitions : countOf(records, topic);
  }

  /** Whether the stream lacks subjects of recorded topics, because somebody was interrupted or changed it by hand. */
  async #lacks(records: TopicRecords): Promise<boolean> {
    const taken = (await this.#parts.stream.find())?.config.subjects ?? [];
    const isCovered = coverage(taken);
    return allSubjects(records).some((subject) => !isCovered(subject));
  }

  #driftOf(
    wanted: ReadonlyMap<string, number | undefined>,
    recorded: TopicRecords,
  ): readonly TopicDrift[] {
    const drift: TopicDrift[] = [];
    for (const [topic, expected = 0] of wanted) {
      const actual = recorded[topic] ?? 0;
      if (actual === expected) continue;
      const found = {
        topic,
        property: "partitions",
        expected: String(expected),
        actual: String(actual),
      };
      drift.push(found);
      this.#parts.onDrift(found);
    }
    return drift;
  }
}

function countOf(records: TopicRecords, topic: string): number | undefined {
  const recorded = records[topic] ?? 0;
  return recorded === 0 ? undefined : recorded;
}

function allSubjects(records: TopicRecords): readonly string[] {
  return Object.keys(records).flatMap((topic) => subjectsOf(topic, countOf(records, topic)));
}

function isTaken(topic: string, count: number | undefined, taken: readonly string[]): boolean {
  return subjectsOf(topic, count).every(coverage(taken));
}

function missing(topic: string, stream: string): BusTransportError {
  const message = `stream ${stream} does not take topic ${topic}; add its subjects, or set stream.ensure to create`;
  return new BusTransportError("BUS_TOPIC_MISSING", message, { details: { topic, stream } });
}

function mismatch(
  topic: string,
  actual: number | undefined,
  expected: number | undefined,
): BusConfigError {
  const say = (count: number | undefined): string => (count === undefined ? "none" : String(count));
  const message = `topic ${topic} was created with partitions ${say(actual)}, this process has partitions ${say(expected)}: both need some, or neither`;
  return new BusConfigError("BUS_TOPIC_DRIFT", message, {
    details: { path: "partitions", topic, expected: say(expected), actual: say(actual) },
  });
}
