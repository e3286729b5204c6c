import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import { BatchSender } from "../src/kafkajs/batch-sender.ts";
import type { ProducerIdentity } from "../src/kafkajs/produce-request.ts";
import { RecordAccumulator } from "../src/kafkajs/record-accumulator.ts";
import { FakeBrokers, FakeRecord } from "./fake-producer-broker.ts";
import { turn } from "./fake-records.ts";

/** What differs from the usual. */
export interface SenderLabOptions {
  readonly idempotent?: boolean;
  readonly retryMax?: number;
  readonly maxInFlight?: number;
  readonly maxMessages?: number;
}

/** A sender with brokers that a test plays. */
export interface SenderLab {
  readonly clock: ManualClock;
  readonly brokers: FakeBrokers;
  /** Node id by partition; 1 where it says nothing. */
  readonly leaders: Map<number, number>;
  /** Topics whose leaders were asked for again. */
  readonly refreshed: string[];
  /** Partitions in which a batch may be stored twice. */
  readonly gaps: number[];
  readonly sender: BatchSender;
  /** Publish records with ids from 0 on. */
  readonly add: (
    count: number,
    more?: { readonly partition?: number; readonly deadlineAtMs?: number },
  ) => FakeRecord[];
  /** Let time pass, and everything run that it makes due. */
  readonly settle: (ms?: number) => Promise<void>;
}

/** Make a sender whose records linger 5 ms and whose retries begin after 100 ms. */
export function senderLab(options: SenderLabOptions = {}): SenderLab {
  const clock = manualClock();
  const brokers = new FakeBrokers();
  const leaders = new Map<number, number>();
  const refreshed: string[] = [];
  const gaps: number[] = [];
  let made = 0;
  let current: ProducerIdentity | undefined;
  const accumulator = new RecordAccumulator({
    clock,
    lingerMs: 5,
    limits: { maxMessages: options.maxMessages ?? 100, maxBytes: 1_000_000 },
    onReady: () => sender.dispatch(),
  });
  const other = (retired: ProducerIdentity | undefined): ProducerIdentity => {
    if (current !== undefined && current !== retired) return current;
    made += 1;
    current = { producerId: BigInt(made), producerEpoch: 0 };
    return current;
  };
  const sender: BatchSender = new BatchSender({
    clock,
    random: () => 0,
    accumulator,
    identities: options.idempotent === false ? undefined : { other },
    maxInFlight: options.maxInFlight ?? 5,
    retryMax: options.retryMax ?? 10,
    retryBackoffMs: 100,
    timeoutMs: 30_000,
    maxBatchBytes: 1_000_000,
    leaderOf: (_, partition) => leaders.get(partition) ?? 1,
    refreshLeaders: (topics) => void refreshed.push(...topics),
    send: brokers.send,
    recycle: () => undefined,
    onIdempotenceGap: ({ partition }) => void gaps.push(partition),
  });
  const add = (
    count: number,
    more: { partition?: number; deadlineAtMs?: number } = {},
  ): FakeRecord[] => {
    const records = Array.from({ length: count }, (_, index) => new FakeRecord(index, more));
    for (const record of records) accumulator.add(record);
    return records;
  };
  const settle = async (ms = 0): Promise<void> => {
    await clock.advanceAsync(ms);
    await turn();
  };
  return { clock, brokers, leaders, refreshed, gaps, sender, add, settle };
}

/** What became of records: offsets, codes of errors, or `open`. */
export function shown(records: readonly FakeRecord[]): readonly unknown[] {
  return records.map((record) => record.shown);
}
