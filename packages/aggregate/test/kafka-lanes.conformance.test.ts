import { afterAll, describe, expect, test } from "vitest";
import { aggregate } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import { createEventBus, defineTopic } from "@bus/core";
import type { EventBus } from "@bus/core";
import { kafka } from "@bus/kafka";
import { confluentDriver } from "@bus/kafka/confluent";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { createLedger, checkLedger, until } from "@bus/testkit";
import type { Ledger } from "@bus/testkit";
import { startKafka } from "@bus/tools-brokers";

const cluster = await startKafka();
const PARTITIONS = 4;
const soon = { timeoutMs: 60_000 };

interface Numbered {
  readonly id: string;
  readonly sequence: number;
}

let groups = 0;

afterAll(() => cluster.close());

/** A transport on the real broker, with lag that is up to date. */
function transportOf(driver: ReturnType<typeof kafkajsDriver>) {
  return kafka({
    brokers: cluster.brokers,
    driver,
    consumer: { commitIntervalMs: 100 },
    topics: { ensure: "create", partitions: PARTITIONS },
  });
}

/** Publishes numbered messages of skewed aggregates and writes them into the books. */
class Publisher {
  readonly ledger: Ledger = createLedger();
  readonly topic;
  readonly #next = new Map<string, number>();

  constructor(name: string) {
    this.topic = defineTopic<Numbered>(name, { key: ({ id }) => id });
  }

  async publish(bus: EventBus, count: number): Promise<void> {
    const values = Array.from({ length: count }, (_, index) => {
      // A third of the messages belongs to one aggregate, the rest is spread over thirty.
      const id = index % 3 === 0 ? "hot" : `aggregate-${index % 30}`;
      const sequence = this.#next.get(id) ?? 0;
      this.#next.set(id, sequence + 1);
      return { id, sequence };
    });
    for (const { id, sequence } of values)
      this.ledger.published({ topic: this.topic.name, key: id, sequence });
    await bus.publishMany(this.topic, values);
  }

  /** Handles a message and writes it down; `work` is what the handler waits for. */
  handler(work: () => Promise<void>) {
    return async ({ value: { id, sequence } }: { readonly value: Numbered }): Promise<void> => {
      const run = this.ledger.handling({ topic: this.topic.name, key: id, sequence });
      await work();
      run.done();
    };
  }
}

const turn = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

const FAILING = 40;
const BURST = 100;

/** A bus with 16 handlers at once whose aggregates fail when told to, and the latency of those that do not. */
class LatencyBus implements AsyncDisposable {
  failures = 0;
  readonly #bus: EventBus;
  readonly #topic;
  readonly #seen: number[] = [];
  readonly #failing = new Set<string>();
  #sequence = 0;
  #startedMs = 0;

  private constructor(name: string, driver: ReturnType<typeof kafkajsDriver>) {
    this.#topic = defineTopic<Numbered>(name, { key: ({ id }) => id });
    this.#bus = createEventBus({
      group: name,
      transport: transportOf(driver),
      plugins: [aggregate({ concurrency: 16 })],
    });
  }

  static async start(name: string, driver: ReturnType<typeof kafkajsDriver>): Promise<LatencyBus> {
    const bus = new LatencyBus(name, driver);
    await bus.#start();
    return bus;
  }

  /** Publish aggregates that fail for ever, and wait until each has failed. */
  async fail(count: number): Promise<void> {
    const values = Array.from({ length: count }, (_, index) => ({
      id: `bad-${index}`,
      sequence: 0,
    }));
    await this.#bus.publishMany(this.#topic, values);
    await until(() => this.#failing.size === count, { ...soon, what: "every bad one to fail" });
  }

  /** Milliseconds from publish to the end of the handler that 99 of 100 messages of a burst stay below. */
  async p99OfBurst(): Promise<number> {
    this.#seen.length = 0;
    this.#startedMs = performance.now();
    const values = Array.from({ length: BURST }, (_, index) => ({
      id: `good-${index % 50}`,
      sequence: this.#sequence++,
    }));
    await this.#bus.publishMany(this.#topic, values);
    await until(() => this.#seen.length === BURST, { ...soon, what: "the burst" });
    return this.#seen.toSorted((one, other) => one - other)[Math.floor(BURST * 0.99) - 1] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus.close();
  }

  async #start(): Promise<void> {
    await this.#bus.subscribe(this.#topic, ({ value }) => this.#handle(value), { ordering: "key" });
    await this.#bus.start();
  }

  async #handle({ id }: Numbered): Promise<void> {
    await turn(2);
    if (!id.startsWith("bad-")) {
      this.#seen.push(performance.now() - this.#startedMs);
      return;
    }
    this.failures++;
    this.#failing.add(id);
    throw new Error("never");
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

describe.each([
  ["kafkajs", kafkajsDriver],
  ["confluent", confluentDriver],
] as const)("lanes on a real Kafka with %s", (name, driver) => {
  test("a hundred flips of the mode under load reorder and overlap nothing, and everything is committed", async () => {
    const books = new Publisher(`flips-${name}`);
    const group = `flips-${name}-${groups++}`;
    await using bus = createEventBus({
      group,
      transport: transportOf(driver()),
      plugins: [aggregate({ concurrency: 32 })],
    });
    await bus.subscribeWithAggregateId(
      books.topic,
      books.handler(() => turn(1)),
    );
    await bus.start();
    const modes: string[] = [];
    bus.onModeChange(({ mode }) => void modes.push(mode));
    for (let flip = 0; flip < 100; flip++) {
      await books.publish(bus, 60);
      bus.setRecoveryMode(flip % 2 === 1);
    }
    await until(() => books.ledger.outstanding === 0, { ...soon, what: "every message handled" });
    expect(modes).toHaveLength(100);
    const isCommitted = async (): Promise<boolean> =>
      (await bus.lag()).partitions.every(({ lagMessages }) => lagMessages === 0n);
    await until(isCommitted, { ...soon, what: "every message committed" });
    checkLedger(
      await books.ledger.verdict({ reader: { read: (query) => bus.lag(query) }, group }),
      {},
    );
  });

  test("a real backlog switches recovery mode on, and its end switches it off", async () => {
    const books = new Publisher(`backlog-${name}`);
    const group = `backlog-${name}-${groups++}`;
    await using bus = createEventBus({
      group,
      transport: transportOf(driver()),
      plugins: [
        aggregate({ concurrency: 32, startMode: "normal", minDwellMs: 0, clearChecks: 2 }),
        backlog({ maxLagMessages: 50, checkIntervalMs: 50 }),
      ],
    });
    let isSlow = true;
    await bus.subscribeWithAggregateId(
      books.topic,
      books.handler(() => turn(isSlow ? 20 : 0)),
    );
    const modes: string[] = [];
    bus.onModeChange(({ mode, reason }) => void modes.push(`${mode}: ${reason}`));
    await bus.start();
    await books.publish(bus, 2_000);
    await until(() => bus.isInRecoveryMode(), { ...soon, what: "recovery mode" });
    await until(() => bus.lanes().active > 0, { ...soon, what: "lanes at work" });
    isSlow = false;
    await until(() => !bus.isInRecoveryMode(), {
      ...soon,
      what: "normal mode",
      state: () => bus.backlog.detail(),
    });
    await until(() => books.ledger.outstanding === 0, { ...soon, what: "every message handled" });
    expect(modes).toEqual(["recovery: backlog", "normal: cleared"]);
    checkLedger(await books.ledger.verdict(), {});
  });

  test("beside more aggregates failing for ever than handlers at once, others take at most twice as long", async () => {
    await using alone = await LatencyBus.start(`alone-${name}`, driver());
    await using beside = await LatencyBus.start(`beside-${name}`, driver());
    await beside.fail(FAILING);
    const rounds = { alone: [] as number[], beside: [] as number[] };
    // In turns, so that a busy machine meets both; a few bad rounds change no median.
    for (let round = 0; round < 30; round++) {
      rounds.alone.push(await alone.p99OfBurst());
      rounds.beside.push(await beside.p99OfBurst());
    }
    const [alone99, beside99] = [median(rounds.alone), median(rounds.beside)];
    process.stdout.write(
      `${name}: p99 of a burst, median of 30: ${alone99.toFixed(1)} ms alone, ${beside99.toFixed(1)} ms beside ${FAILING} failing aggregates\n`,
    );
    expect(beside.failures).toBeGreaterThan(2 * FAILING);
    expect(beside99).toBeLessThanOrEqual(2 * alone99);
  });
});
