import { BusError, createInstruments } from "@bus/core";
import type { Settlement, TopicPartition, TransportEvent, TransportHost } from "@bus/core";
import { messageSizeBytes, systemClock } from "@bus/core/adapter";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { confluentDriver } from "../src/confluent/index.ts";
import { KAFKA_DEFAULTS } from "../src/kafka-defaults.ts";
import type {
  ConsumerSink,
  DeliveryOwner,
  DriverConsumer,
  FetchedRecords,
  KafkaDriver,
  OutgoingRecord,
  OwnedDelivery,
  PartitionOffset,
} from "../src/kafka-driver.ts";
import type { ConsumerOptions } from "../src/driver-options.ts";
import type { KafkaOptions, ResolvedKafkaOptions } from "../src/kafka-options.ts";

/** Options as the package would resolve them. */
export function resolved(options: Omit<KafkaOptions, "driver">): ResolvedKafkaOptions {
  const { producer, consumer, net, topics, client, ...rest } = options;
  return {
    ...KAFKA_DEFAULTS,
    driver: confluentDriver(),
    ...rest,
    producer: { ...KAFKA_DEFAULTS.producer, ...producer },
    consumer: { ...KAFKA_DEFAULTS.consumer, ...consumer },
    net: { ...KAFKA_DEFAULTS.net, ...net },
    topics: { ...KAFKA_DEFAULTS.topics, ...topics },
    client: { ...KAFKA_DEFAULTS.client, ...client },
  };
}

/** A driver, and what it has emitted. */
export interface TestDriver extends AsyncDisposable {
  readonly driver: KafkaDriver;
  readonly options: ResolvedKafkaOptions;
  readonly events: readonly TransportEvent[];
  readonly log: readonly string[];
}

/** A driver with real time, closed at the end of its scope. */
export function testDriver(options: Omit<KafkaOptions, "driver">): TestDriver {
  const events: TransportEvent[] = [];
  const log: string[] = [];
  const write = (message: string): void => void log.push(message);
  const host: TransportHost = {
    clock: systemClock,
    logger: { debug: write, info: write, warn: write, error: write },
    instruments: createInstruments(),
    random: Math.random,
    emit: (event) => void events.push(event),
  };
  const whole = resolved(options);
  const factory = confluentDriver();
  factory.check(whole);
  const driver = factory.create(whole, host);
  return { driver, options: whole, events, log, [Symbol.asyncDispose]: () => driver.close() };
}

/** A driver that is connected. */
export async function connectedDriver(options: Omit<KafkaOptions, "driver">): Promise<TestDriver> {
  const one = testDriver(options);
  await one.driver.connect();
  return one;
}

/** A name that nobody has used. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID()}`;
}

/** Make a topic and return its name. */
export async function newTopic(
  { driver }: TestDriver,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = uniqueName("topic");
  await driver.admin.createTopics([{ topic, partitions, config }]);
  return topic;
}

/** A record to publish. */
export interface TestRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key?: string | null;
  readonly value?: string | Uint8Array | null;
  readonly headers?: readonly (readonly [string, Uint8Array])[];
  readonly timestampMs?: number;
  readonly timeoutMs?: number;
}

/** Send one record through the producer or a transaction; resolves with its offset. */
export function send(
  to: { send(record: OutgoingRecord): void },
  record: TestRecord,
): Promise<number | undefined> {
  const { topic, partition, key = null, value = "value", headers = [] } = record;
  const message = {
    topic,
    partition,
    key: key === null ? null : Buffer.from(key),
    value: typeof value === "string" ? Buffer.from(value) : value,
    headers,
  };
  return new Promise((resolve, reject) => {
    to.send({
      ...message,
      timestampMs: record.timestampMs ?? Date.now(),
      sizeBytes: messageSizeBytes(message),
      deadlineAtMs: systemClock.monotonicMs() + (record.timeoutMs ?? 30_000),
      stored: resolve,
      failed: reject,
    });
  });
}

/** Send records and wait until all are stored. */
export async function publish(
  { driver }: TestDriver,
  records: readonly TestRecord[],
): Promise<void> {
  for (const topic of new Set(records.map((record) => record.topic)))
    await driver.producer.loadTopic(topic);
  await Promise.all(records.map((record) => send(driver.producer, record)));
}

/** Wait until something is so. */
export async function until(isSo: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!isSo()) {
    if (Date.now() > deadlineMs)
      throw new Error(`not so within ${timeoutMs} ms: ${isSo.toString()}`);
    await sleep(10);
  }
}

/** What `sink.records` said, without the records. */
export type SeenFetch = Pick<
  FetchedRecords,
  "topic" | "partition" | "fetchedFrom" | "nextPosition" | "end"
>;

const NEVER = new AbortController().signal;
const OWNER: DeliveryOwner = {
  draining: NEVER,
  signal: NEVER,
  settle: (_delivery: OwnedDelivery, _settlement: Settlement) => undefined,
};

/** Takes all records at once, and keeps positions the way an owner of partitions does. */
export class TestSink implements ConsumerSink {
  readonly deliveries: OwnedDelivery[] = [];
  readonly fetches: SeenFetch[] = [];
  readonly releases: (readonly TopicPartition[])[] = [];
  readonly losses: (readonly TopicPartition[])[] = [];
  readonly ownerships: (readonly TopicPartition[])[] = [];
  readonly positions: Map<string, number> = new Map();
  readonly ends: unknown[] = [];
  readonly unread: unknown[] = [];
  readonly walkErrors: unknown[] = [];
  onReleasing: (partitions: readonly TopicPartition[]) => Promise<void> = () => Promise.resolve();
  readonly #released: Set<string> = new Set();

  get owns(): readonly TopicPartition[] {
    return this.ownerships.at(-1) ?? [];
  }

  records(fetched: FetchedRecords): void {
    const { records, ...seen } = fetched;
    this.fetches.push(seen);
    for (; records.offset >= 0; records.next()) this.deliveries.push(records.deliver(OWNER, 0));
    this.positions.set(keyOf(fetched), fetched.nextPosition);
  }

  async releasing(partitions: readonly TopicPartition[]): Promise<void> {
    this.releases.push(partitions);
    await this.onReleasing(partitions);
    for (const partition of partitions) this.#released.add(keyOf(partition));
  }

  owned(partitions: readonly TopicPartition[]): readonly PartitionOffset[] {
    this.ownerships.push(partitions);
    const keys = new Set(partitions.map(keyOf));
    for (const key of this.positions.keys()) if (!keys.has(key)) this.positions.delete(key);
    const kept = partitions.filter(
      (one) => this.#released.has(keyOf(one)) && this.positions.has(keyOf(one)),
    );
    this.#released.clear();
    return kept.map(({ topic, partition }) => ({
      topic,
      partition,
      offset: BigInt(this.positions.get(keyOf({ topic, partition })) ?? 0),
    }));
  }

  unreadable(partition: TopicPartition, error: unknown): void {
    this.unread.push([partition, error]);
  }

  lost(partitions: readonly TopicPartition[]): void {
    this.losses.push(partitions);
    for (const partition of partitions) this.positions.delete(keyOf(partition));
  }

  ended(error: unknown): void {
    this.ends.push(error);
  }

  /** Positions to commit. */
  offsets(partitions?: readonly TopicPartition[]): readonly PartitionOffset[] {
    const keys = partitions === undefined ? undefined : new Set(partitions.map(keyOf));
    return Array.from(this.positions, ([key, position]) => {
      const cut = key.lastIndexOf("/");
      return {
        topic: key.slice(0, cut),
        partition: Number(key.slice(cut + 1)),
        offset: BigInt(position),
      };
    }).filter((one) => keys === undefined || keys.has(keyOf(one)));
  }

  values(): readonly string[] {
    return this.deliveries.map(({ value }) =>
      value === null ? "null" : Buffer.from(value).toString(),
    );
  }
}

/** A string that stands for a partition. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** A member of a group and its sink. */
export interface TestMember {
  readonly consumer: DriverConsumer;
  readonly sink: TestSink;
}

/** A member that has not joined. */
export function newMember({ driver }: TestDriver, group: string): TestMember {
  const sink = new TestSink();
  return { consumer: driver.createConsumer(group, sink), sink };
}

/** Records with ascending numbers as values, one partition after the other. */
export function numbered(
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
  count: number,
  from = 0,
): readonly TestRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    topic,
    partition: (from + index) % partitions,
    value: `${from + index}`,
  }));
}

/** A member that has joined for one topic. */
export async function joined(one: TestDriver, group: string, topic: string): Promise<TestMember> {
  const member = newMember(one, group);
  await member.consumer.subscribe([{ topic, startFrom: "earliest" }]);
  return member;
}

/** The `BusError` with which something fails. */
export async function failure(work: Promise<unknown>): Promise<BusError> {
  try {
    await work;
  } catch (error) {
    if (BusError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

/** Numbers of partitions, ascending. */
export function partitionsOf(owned: readonly TopicPartition[]): readonly number[] {
  return owned.map(({ partition }) => partition).toSorted((a, b) => a - b);
}

/** Drains nothing and commits what was received, as the owner of partitions does inside a rebalance. */
export function commitsOnRelease({ consumer, sink }: TestMember): void {
  sink.onReleasing = (partitions) => consumer.commit(sink.offsets(partitions));
}

/** Groups that notice within seconds. */
export const FAST: ConsumerOptions = Object.freeze({
  sessionTimeoutMs: 6_000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 20_000,
});
