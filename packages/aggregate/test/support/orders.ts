import { setImmediate } from "node:timers/promises";
import { defineTopic } from "@bus/core";
import type { BusPublisher, HandlerContext, Message, Topic } from "@bus/core";
import { checkLedger, createLedger, until } from "@bus/testkit";
import type { Ledger, LedgerBounds } from "@bus/testkit";

/** A numbered message of an aggregate. */
export interface Order {
  readonly id: string;
  readonly sequence: number;
}

/** Orders, keyed by their aggregate. */
export const Orders: Topic<Order, Order> = defineTopic<Order>("orders", { key: ({ id }) => id });

/** Orders of another topic. */
export const Returns: Topic<Order, Order> = defineTopic<Order>("returns", { key: ({ id }) => id });

/** Publishes numbered messages and keeps the books of what is handled. */
export class OrderBooks {
  readonly ledger: Ledger = createLedger();
  /** Handlers running now, and most at the same time. */
  running = 0;
  peakRunning = 0;
  readonly #sequences = new Map<string, number>();

  /** Publish the next message of each aggregate named, in this order. */
  async publish(
    bus: BusPublisher,
    ids: readonly string[],
    topic: Topic<Order, Order> = Orders,
  ): Promise<void> {
    const values = ids.map((id) => ({ id, sequence: this.#next(topic.name, id) }));
    for (const { id, sequence } of values)
      this.ledger.published({ topic: topic.name, key: id, sequence });
    await bus.publishMany(topic, values);
  }

  /** A handler that works as `work` says and writes each run down. */
  handler(
    work: (message: Message<Order>, context: HandlerContext) => Promise<void> | void = () =>
      undefined,
  ): (message: Message<Order>, context: HandlerContext) => Promise<void> {
    return async (message, context) => {
      const { id, sequence } = message.value;
      const run = this.ledger.handling({ topic: message.topic, key: id, sequence });
      this.running++;
      this.peakRunning = Math.max(this.peakRunning, this.running);
      try {
        await work(message, context);
      } catch (error) {
        run.failed();
        throw error;
      } finally {
        this.running--;
      }
      run.done();
    };
  }

  handledAll(): Promise<void> {
    return until(() => this.ledger.outstanding === 0 && this.running === 0, {
      timeoutMs: 20_000,
      what: "every message to be handled",
      state: () => ({ outstanding: this.ledger.outstanding, running: this.running }),
    });
  }

  async check(bounds: LedgerBounds = {}): Promise<void> {
    checkLedger(await this.ledger.verdict(), bounds);
  }

  #next(topic: string, id: string): number {
    const key = `${topic}/${id}`;
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + 1);
    return sequence;
  }
}

/** Handlers that wait until the test opens them. */
export class Gate implements Disposable {
  readonly #waiting: (() => void)[] = [];
  #open = false;

  get waiting(): number {
    return this.#waiting.length;
  }

  pass(): Promise<void> {
    if (this.#open) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Nobody waits when the test has ended, however it did. */
  [Symbol.dispose](): void {
    this.open();
  }

  /** Let one handler go on. */
  next(): void {
    this.#waiting.shift()?.();
  }

  /** Let everybody go on, now and later. */
  open(): void {
    this.#open = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A wait of a few turns of the event loop, so that handlers interleave without real time. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

/** A list of `count` ids of which every second one is `hot`. */
export function skewedIds(count: number, distinct: number): readonly string[] {
  return Array.from({ length: count }, (_, index) =>
    index % 2 === 0 ? "hot" : `id-${(index * 7919) % distinct}`,
  );
}
