import { setImmediate as nextTurn } from "node:timers/promises";
import PQueue from "p-queue";
import type { Delivery, Logger } from "@bus/core";
import { createFilter } from "./dead-letter-filter.ts";
import type { LooseFilter } from "./dead-letter-filter.ts";
import { deathKey, summarise } from "./dead-letter-record.ts";
import type { DeadLetterSummary } from "./dead-letter-record.ts";
import type { ReaderPool } from "./reader-pool.ts";
import type { ReplayLog } from "./replay-log.ts";
import type { TopicReader } from "./topic-reader.ts";

/** Most dead letters of a partition that are claimed at once: what a crash may repeat. */
const CHUNK = 200;

/** A dead letter that nobody has dealt with. */
export interface OpenLetter {
  readonly summary: DeadLetterSummary;
  readonly delivery: Delivery;
}

/** What is done with open dead letters. */
export interface LetterWork {
  /** Deal with letters of one partition, in order. A rejection ends the run. */
  carryOut(letters: readonly OpenLetter[]): Promise<void>;
}

/** What a run has done so far. */
export interface RunCounts {
  /** Messages of the dead-letter topic looked at. */
  scanned: number;
  /** Messages that the topic had when the run began. */
  total: number;
  /** Open dead letters that the filter lets through, within the limit. */
  matched: number;
  /** Of these: replayed or discarded. */
  done: number;
  /** Of these: replayed although a run that died may have replayed them before; possible duplicates. */
  repeated: number;
  /** Of these: could not be published, or may not have been. */
  failed: number;
  /** Of these: left alone because an earlier message of their key failed. */
  heldBack: number;
  /** Dead letters that the filter lets through and that were dealt with before. */
  doneBefore: number;
  /** Messages that are no dead letters of this package. */
  foreign: number;
}

/** What a run is made of. */
export interface DeadLetterRunParts {
  readonly deadLetterTopic: string;
  readonly filter: LooseFilter;
  readonly limit: number;
  readonly concurrency: number;
  readonly counts: RunCounts;
  readonly log: ReplayLog;
  readonly work: LetterWork;
  readonly readers: ReaderPool;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly onProgress: ((counts: Readonly<RunCounts>) => void) | undefined;
}

interface QueuedLetter extends OpenLetter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Lane {
  readonly queue: QueuedLetter[];
  isBusy: boolean;
}

/**
 * Goes once through a dead-letter topic as it was when the run began: letters of one partition in order, partitions
 * side by side. A letter is acknowledged when it has been dealt with, so the transport's bounds in flight are the run's.
 */
export class DeadLetterRun {
  readonly #parts: DeadLetterRunParts;
  readonly #matches: (letter: DeadLetterSummary) => boolean;
  readonly #seen = new Set<string>();
  readonly #lanes = new Map<number, Lane>();
  readonly #queue: PQueue;
  #reader: TopicReader | undefined;

  constructor(parts: DeadLetterRunParts) {
    this.#parts = parts;
    this.#matches = createFilter(parts.filter);
    this.#queue = new PQueue({ concurrency: parts.concurrency });
  }

  /** Resolves when every letter has been dealt with; rejects with what ended the run before. */
  async finish(): Promise<void> {
    const { readers, deadLetterTopic: topic, counts, signal } = this.#parts;
    const read = (delivery: Delivery): Promise<void> | undefined => this.#take(delivery);
    const reader = await readers.open({ topic, read, until: "end", signal });
    this.#reader = reader;
    counts.total = reader.total;
    try {
      await reader.reached();
    } catch (error) {
      this.#giveUp(error);
      throw error;
    } finally {
      await this.#queue.onIdle();
      await readers.close(reader);
    }
    this.#progress();
  }

  #take(delivery: Delivery): Promise<void> | undefined {
    const { counts, limit, log } = this.#parts;
    counts.scanned += 1;
    const summary = summarise(delivery);
    if (summary === undefined) {
      counts.foreign += 1;
      return undefined;
    }
    if (!this.#matches(summary)) return undefined;
    const key = deathKey(summary);
    if (this.#seen.has(key)) return undefined;
    this.#seen.add(key);
    const kind = log.letter(key)?.kind;
    if (kind === "replayed" || kind === "discarded") {
      counts.doneBefore += 1;
      return undefined;
    }
    if (counts.matched >= limit) return undefined;
    counts.matched += 1;
    return new Promise((resolve, reject) => {
      const lane = this.#lane(delivery.partition);
      lane.queue.push({ summary, delivery, resolve, reject });
      this.#serve(lane);
    });
  }

  #lane(partition: number): Lane {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) this.#lanes.set(partition, (lane = { queue: [], isBusy: false }));
    return lane;
  }

  #serve(lane: Lane): void {
    if (lane.isBusy || lane.queue.length === 0) return;
    lane.isBusy = true;
    void this.#queue.add(() => this.#workOn(lane));
  }

  async #workOn(lane: Lane): Promise<void> {
    // What was fetched together is dealt with together.
    await nextTurn();
    const letters = lane.queue.splice(0, CHUNK);
    try {
      await this.#parts.work.carryOut(letters);
      for (const letter of letters) letter.resolve();
    } catch (error) {
      for (const letter of letters) letter.reject(error);
      this.#reader?.fail(error);
      this.#giveUp(error);
    }
    lane.isBusy = false;
    this.#progress();
    this.#serve(lane);
    const { counts, limit } = this.#parts;
    const isIdle = [...this.#lanes.values()].every(({ isBusy }) => !isBusy);
    if (counts.matched >= limit && isIdle) this.#reader?.stop();
  }

  #giveUp(error: unknown): void {
    for (const { queue } of this.#lanes.values())
      for (const letter of queue.splice(0)) letter.reject(error);
  }

  #progress(): void {
    const { onProgress, counts, logger } = this.#parts;
    try {
      onProgress?.({ ...counts });
    } catch (error) {
      logger.error("onProgress threw", { error });
    }
  }
}
