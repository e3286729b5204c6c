import { AssertionError } from "node:assert";
import { createEventBus } from "@bus/core";
import type {
  ConfiguredTransport,
  EventBus,
  HandlerContext,
  Message,
  SettledOutcome,
  SubscribeOptions,
  Subscription,
} from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import type { Ledger, LedgerRun } from "../ledger.ts";
import { aborted, behave } from "./behaviour.ts";
import type { Behaviour } from "./behaviour.ts";
import type { Lab } from "./lab.ts";
import { entryOf } from "./numbered.ts";
import type { TransportOverrides } from "./subject.ts";

/** A handler's message at the level of the bus. */
export type BytesMessage = Message<Uint8Array | null>;

/** How a consumer of numbered messages works. */
export interface ConsumerOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** @defaultValue "prompt" */
  readonly behaviour?: Behaviour;
  /** Books every run. */
  readonly ledger?: Ledger;
  readonly subscribe?: SubscribeOptions;
  readonly overrides?: TransportOverrides;
  /** Makes the bus. @defaultValue one without plugins */
  readonly openBus?: (transport: ConfiguredTransport) => EventBus;
  /** Called for every delivery that the bus takes over. */
  readonly onReceived?: () => void;
  /** Runs after the behaviour and before the message counts as handled; a failed assertion in it fails the test. */
  readonly handle?: (message: BytesMessage, context: HandlerContext) => Promise<void> | void;
}

/** A simulated process with a bus that handles numbered messages. */
export class Consumer {
  readonly bus: EventBus;
  readonly configured: ConfiguredTransport;
  /** Settlements so far, by outcome. */
  readonly outcomes: Record<SettledOutcome, number> = {
    ack: 0,
    nack: 0,
    aborted: 0,
    dead_lettered: 0,
    skipped: 0,
  };
  retries = 0;
  /** Rebalances of its group that its transport has told of. */
  rebalances = 0;
  /** Runs that succeeded. */
  handled = 0;
  running = 0;
  peakRunning = 0;
  readonly #lab: Lab;
  readonly #options: ConsumerOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #runs = new Set<LedgerRun>();
  readonly #handledAtMs: number[] = [];
  #killed = false;

  constructor(lab: Lab, options: ConsumerOptions) {
    this.#lab = lab;
    this.#options = options;
    this.configured = lab.subject.transport(options.overrides);
    const { group, openBus = (transport) => createEventBus({ group, transport }) } = options;
    this.bus = openBus(this.configured);
    lab.track(this.bus, this.configured);
    this.bus.observe({
      settled: (_delivery, _subscription, outcome) => void this.outcomes[outcome]++,
      retried: () => void this.retries++,
      received: () => options.onReceived?.(),
      transport: ({ kind }) => {
        if (kind === "rebalancing") this.rebalances++;
      },
    });
  }

  /** Register the handler for a topic; before or after the start. */
  async subscribe(topic: string): Promise<void> {
    const handler = (message: BytesMessage, context: HandlerContext): Promise<void> =>
      this.#handle(message, context);
    this.#subscriptions.set(
      topic,
      await this.bus.subscribe(topic, handler, this.#options.subscribe),
    );
  }

  /** Take the handler of a topic away. */
  async unsubscribe(topic: string, options: { readonly hold: boolean }): Promise<void> {
    await this.#subscriptions.get(topic)?.close(options);
  }

  /** Subscribe to every topic and join. */
  async start(): Promise<void> {
    for (const topic of this.#options.topics) await this.subscribe(topic);
    await this.#lab.within(this.bus.start(), `a bus to join group ${this.#options.group}`, {
      timeoutMs: this.#lab.timings.stepMs + this.#lab.timings.takeoverMs,
    });
  }

  /** Runs that succeeded at or after a time on the monotonic clock. */
  handledSince(sinceMs: number): number {
    return this.#handledAtMs.filter((atMs) => atMs >= sinceMs).length;
  }

  /** End the process as if it was killed: what its handlers do from now on never happened. */
  async kill(): Promise<void> {
    this.#killed = true;
    for (const run of this.#runs) run.failed();
    this.#runs.clear();
    await this.#lab.crash(this.configured);
  }

  async #handle(message: BytesMessage, context: HandlerContext): Promise<void> {
    if (this.#killed) return aborted(context.signal);
    const { behaviour = "prompt", handle, ledger } = this.#options;
    const entry = entryOf({ topic: message.topic, key: message.keyBytes, value: message.value });
    const run = ledger?.handling(entry);
    if (run !== undefined) this.#runs.add(run);
    this.running++;
    this.peakRunning = Math.max(this.peakRunning, this.running);
    try {
      await behave(behaviour, entry, context);
      await handle?.(message, context);
      if (this.#killed) return await aborted(context.signal);
      this.handled++;
      this.#handledAtMs.push(systemClock.monotonicMs());
      if (run !== undefined && this.#runs.delete(run)) run.done();
    } catch (error) {
      if (run !== undefined && this.#runs.delete(run)) run.failed();
      if (error instanceof AssertionError) this.#lab.violated(error);
      throw error;
    } finally {
      this.running--;
    }
  }
}

/** Open a bus, subscribe, join. The bus is closed when the test ends. */
export async function consume(lab: Lab, options: ConsumerOptions): Promise<Consumer> {
  const consumer = new Consumer(lab, options);
  await consumer.start();
  return consumer;
}

/** Milliseconds that a bus with aborted handlers is given to drain: enough to see it wait, too few to end. */
const SHORT_DRAIN_MS = 60;

/**
 * Consume under a behaviour until handlers can succeed: with `aborted`, a first bus whose handlers never end is closed
 * while they run, and the returned one takes over.
 */
export async function consumeThrough(lab: Lab, options: ConsumerOptions): Promise<Consumer> {
  if (options.behaviour !== "aborted") return consume(lab, options);
  const stuck = await consume(lab, options);
  await lab.until(() => stuck.running > 0, "a handler to run");
  await lab.within(
    stuck.bus.close({ drainTimeoutMs: SHORT_DRAIN_MS }),
    "a bus with running handlers to close",
    {
      timeoutMs: SHORT_DRAIN_MS + lab.timings.closeLateMs,
    },
  );
  return consume(lab, { ...options, behaviour: "prompt" });
}
