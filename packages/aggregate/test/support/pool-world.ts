import { setImmediate } from "node:timers/promises";
import type { Delivery, HandlerSlot, Histogram } from "@bus/core";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import { KeyScheduler } from "../../src/key-scheduler.ts";
import { LanePool } from "../../src/lane-pool.ts";
import type { LanePoolOptions } from "../../src/lane-pool.ts";
import type { Mode, NormalModePromise } from "../../src/route.ts";

/** One message of the world and what became of it. */
export interface Entry {
  readonly key: string;
  readonly partition: number;
  /** Counted per key, in the order of scheduling. */
  readonly sequence: number;
  /** The mode when it was scheduled. */
  readonly mode: Mode;
  readonly delivery: Delivery;
  /** How often it was passed to `run`. */
  runs: number;
  /** Attempts that were begun. */
  attempts: number;
  handled: boolean;
  released: boolean;
}

/** A handler that runs until the test ends it. */
export interface OpenRun {
  readonly entry: Entry;
  end(): void;
  /** Fail: the run waits without its slot until the test retries it, or its ownership ends. */
  fail(): void;
}

/** A run that failed and waits. */
export interface FailedRun {
  readonly entry: Entry;
  /** The wait is over: run again as soon as there is a slot. */
  retry(): void;
}

/** What the world is made of. */
export interface PoolWorldOptions extends Partial<LanePoolOptions> {
  readonly partitions?: number;
  readonly promise?: NormalModePromise;
  readonly mode?: Mode;
}

/** A pool under test with a clock, partitions that drain, and handlers that the test ends one by one. */
export class PoolWorld {
  readonly clock: ManualClock = manualClock();
  readonly pool: LanePool;
  readonly options: LanePoolOptions;
  readonly entries: Entry[] = [];
  readonly running: OpenRun[] = [];
  /** Runs that failed and wait for `retry`. */
  readonly failed: FailedRun[] = [];
  /** Runs that were told to run again and wait for a slot. */
  readonly returning: Set<Entry> = new Set();
  readonly paused: Set<number> = new Set();
  readonly waits: number[] = [];
  /** Called when a handler begins for the first time, with the messages that have begun and not ended. */
  onBegin: (entry: Entry, begun: readonly Entry[]) => void = () => undefined;
  /** Keys whose handler throws before it returns, for the first time. */
  failsAtOnce: (key: string) => boolean = () => false;
  /** Keys whose extraction throws. */
  readonly badKeys: Set<string> = new Set();
  readonly keyFailures: unknown[] = [];
  readonly #byDelivery = new Map<Delivery, Entry>();
  readonly #sequences = new Map<string, number>();
  readonly #ownerships: AbortController[];
  readonly #scheduler: KeyScheduler;

  constructor(options: PoolWorldOptions = {}) {
    const { partitions = 2, promise = "ordered", mode = "recovery", ...pool } = options;
    this.options = { concurrency: 4, maxLanes: 8, mailboxSize: 4, idleTimeoutMs: 1000, ...pool };
    const waits: Histogram = { record: (seconds) => void this.waits.push(seconds) };
    this.pool = new LanePool(this.options, { clock: this.clock, waits }, mode);
    this.#ownerships = Array.from({ length: partitions }, () => new AbortController());
    this.#scheduler = new KeyScheduler({
      pool: this.pool,
      run: (delivery, slot) => this.#run(delivery, slot),
      spec: { topic: "orders" },
      flow: {
        pause: ({ partition }) => void this.paused.add(partition),
        resume: ({ partition }) => void this.paused.delete(partition),
      },
      promise,
      laneKey: (message) => this.#laneKey(String(message.key)),
      onKeyFailure: (_, error) => void this.keyFailures.push(error),
    });
  }

  /** Deliver a message; an empty key is a message without an aggregate. */
  deliver(key: string, partition = 0, draining?: AbortSignal): Entry {
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + 1);
    const delivery = this.#delivery(key, partition, draining);
    const entry: Entry = {
      key,
      partition,
      sequence,
      mode: this.pool.mode,
      delivery,
      runs: 0,
      attempts: 0,
      handled: false,
      released: false,
    };
    this.entries.push(entry);
    this.#byDelivery.set(delivery, entry);
    this.#scheduler.schedule(delivery);
    return entry;
  }

  /** End the ownership of a partition and begin the next one. */
  drain(partition: number): void {
    const ended = this.#ownerships[partition];
    this.#ownerships[partition] = new AbortController();
    ended?.abort();
  }

  /** End a running handler and let the pool go on. */
  async end(run: OpenRun | undefined = this.running[0]): Promise<void> {
    run?.end();
    await settle();
  }

  /** End whatever runs until nothing is left. */
  async endAll(): Promise<void> {
    for (;;) {
      await settle();
      if (this.begun.length === 0 && this.pool.numbers().queued === 0) return;
      for (const run of Array.from(this.failed)) run.retry();
      for (const run of Array.from(this.running)) run.end();
      this.clock.advance(1000);
    }
  }

  /** Messages whose handler runs, or that wait after it failed. */
  get begun(): readonly Entry[] {
    return [...[...this.running, ...this.failed].map(({ entry }) => entry), ...this.returning];
  }

  drained(): Promise<void> {
    return this.#scheduler.drained();
  }

  runningKeys(): string[] {
    return this.running.map((run) => `${run.entry.key}${run.entry.sequence}`);
  }

  async #run(delivery: Delivery, slot: HandlerSlot | undefined): Promise<void> {
    const entry = this.#byDelivery.get(delivery);
    if (entry === undefined) throw new Error("a delivery that was never made was run");
    entry.runs++;
    if (delivery.draining.aborted) {
      entry.released = true;
      return;
    }
    this.onBegin(entry, this.begun);
    while (this.#failsNow(entry) || (await this.#attempt(entry)) === "failed") {
      slot?.giveBack();
      if (await this.#retries(entry, slot)) continue;
      entry.released = true;
      return;
    }
    entry.handled = true;
  }

  #failsNow(entry: Entry): boolean {
    const failsNow = entry.attempts === 0 && this.failsAtOnce(entry.key);
    entry.attempts++;
    return failsNow;
  }

  #attempt(entry: Entry): Promise<"ended" | "failed"> {
    return new Promise((resolve) => {
      const leave = (outcome: "ended" | "failed") => (): void => {
        this.running.splice(this.running.indexOf(run), 1);
        resolve(outcome);
      };
      const run: OpenRun = { entry, end: leave("ended"), fail: leave("failed") };
      this.running.push(run);
    });
  }

  /** Wait as the failure chain does: until the test retries or the ownership ends, then for a slot. */
  async #retries(entry: Entry, slot: HandlerSlot | undefined): Promise<boolean> {
    const { draining } = entry.delivery;
    const isDue = await new Promise<boolean>((resolve) => {
      const leave = (due: boolean): void => {
        this.failed.splice(this.failed.indexOf(run), 1);
        draining.removeEventListener("abort", onAbort);
        if (due) this.returning.add(entry);
        resolve(due);
      };
      const onAbort = (): void => leave(false);
      const run: FailedRun = { entry, retry: () => leave(true) };
      this.failed.push(run);
      if (draining.aborted) leave(false);
      else draining.addEventListener("abort", onAbort);
    });
    const isIn = isDue && (slot === undefined || (await slot.takeAgain(draining)));
    this.returning.delete(entry);
    return isIn;
  }

  #laneKey(key: string): string {
    if (this.badKeys.has(key)) throw new Error(`no aggregate in ${key}`);
    return key;
  }

  #delivery(key: string, partition: number, given: AbortSignal | undefined): Delivery {
    const draining = given ?? this.#ownerships[partition]?.signal ?? new AbortController().signal;
    return {
      topic: "orders",
      partition,
      offset: BigInt(this.entries.length),
      timestampMs: 0,
      key: Buffer.from(key),
      value: null,
      headers: [],
      attempt: 1,
      sizeBytes: 0,
      draining,
      signal: draining,
      settle: () => undefined,
    };
  }
}

/** Let promises settle. */
export async function settle(): Promise<void> {
  await setImmediate();
}
