import { createEventBus, defineTopic } from "@bus/core";
import type { ConfiguredTransport, Deliver, Delivery, Plugin, Transport } from "@bus/core";
import { metrics } from "@bus/metrics";
import { otel } from "@bus/otel";
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { AlwaysOffSampler, NoopSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Sampler } from "@opentelemetry/sdk-trace";
import { createBusCore } from "../packages/core/src/bus/bus-core.ts";
import type { BusCore } from "../packages/core/src/bus/bus-core.ts";
import { busOptions } from "../packages/core/src/bus/bus-options.ts";
import { BusPublishing } from "../packages/core/src/bus/bus-publishing.ts";
import { createDecoder } from "../packages/core/src/consume/decode-message.ts";
import { FailureChain } from "../packages/core/src/consume/failure-chain.ts";
import { GroupConsumer } from "../packages/core/src/consume/group-consumer.ts";
import { PartitionScheduler } from "../packages/core/src/consume/partition-scheduler.ts";
import type { Finish } from "../packages/core/src/consume/failure-chain.ts";
import { createFinish, createRun } from "../packages/core/src/consume/run-delivery.ts";
import { RunningHandlers } from "../packages/core/src/consume/running-handlers.ts";
import type { RunDelivery, SubscriptionSpec } from "../packages/core/src/contracts/scheduler.ts";
import { validateOptions } from "../packages/core/src/options/validate-options.ts";

/** Something that handles or publishes so many messages. */
export interface Path {
  run(messages: number): Promise<void>;
  close(): Promise<unknown>;
}

const PARTITIONS = 16;
const IN_FLIGHT = 2_000;
const SCRAPE_EVERY_MS = 100;
const codec = { encode: (value: Uint8Array) => value, decode: (bytes: Uint8Array) => bytes };
const topic = defineTopic<Uint8Array>("bench", { codec });
const value = new Uint8Array(256);
const headers = [["type", new TextEncoder().encode("order.created")]] as const;
const never = new AbortController().signal;
const startedAtMs = Date.now();

class BenchDelivery implements Delivery {
  readonly topic = "bench";
  readonly key = null;
  readonly value = value;
  readonly headers = headers;
  readonly timestampMs = startedAtMs;
  readonly attempt = 1;
  readonly sizeBytes = 256;
  readonly draining = never;
  readonly signal = never;
  readonly offset = 0n;
  readonly partition: number;
  readonly #settled: () => void;

  constructor(partition: number, settled: () => void) {
    this.partition = partition;
    this.#settled = settled;
  }

  settle(): void {
    this.#settled();
  }
}

/** A transport with nothing behind it: delivers as fast as core settles, and stores nothing. */
class Source {
  readonly configured: ConfiguredTransport;
  #deliver: Deliver = () => undefined;
  #finish: () => void = () => undefined;
  #total = 0;
  #delivered = 0;
  #settled = 0;

  constructor() {
    const close = () => Promise.resolve({ abandonedDeliveries: 0 });
    const nothing = (): void => undefined;
    const member = {
      update: () => Promise.resolve(),
      pause: nothing,
      resume: nothing,
      partitions: () => [],
      close,
    };
    const receipts = [{ topic: "bench", partition: 0, offset: 0n }];
    const transport: Transport = {
      name: "source",
      capabilities: { ordering: "partition" },
      connect: () => Promise.resolve(),
      publish: () => Promise.resolve(receipts),
      subscribe: (_request, deliver) => {
        this.#deliver = deliver;
        return Promise.resolve(member);
      },
      close,
    };
    this.configured = { kind: "transport", name: "source", options: {}, create: () => transport };
  }

  deliver(messages: number): Promise<void> {
    this.#total = messages;
    this.#delivered = 0;
    this.#settled = 0;
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#fill();
    });
  }

  readonly #onSettled = (): void => {
    this.#settled++;
    if (this.#settled === this.#total) this.#finish();
    else if (this.#delivered - this.#settled === IN_FLIGHT / 2) this.#fill();
  };

  #fill(): void {
    while (this.#delivered < this.#total && this.#delivered - this.#settled < IN_FLIGHT)
      this.#deliver(new BenchDelivery(this.#delivered++ % PARTITIONS, this.#onSettled));
  }
}

/** The paths that are compared, by name; each runs in a process of its own, so that none disturbs the other's code. */
export const PATHS: Readonly<Record<string, () => Promise<Path>>> = {
  "consume, no metrics kept": consumeWithoutMetrics,
  "consume, metrics kept": () => consume([]),
  "consume, metrics kept and scraped": () => scraped(),
  "publish, no metrics kept": publishWithoutMetrics,
  "publish, metrics kept": publishWithMetrics,
  "publish, whole bus": () => publish([]),
  "consume, otel without an SDK": () => consume([otel()]),
  "publish, otel without an SDK": () => publish([otel()]),
  "consume, otel with an SDK that samples nothing": () => {
    registerSdk(new AlwaysOffSampler());
    return consume([otel()]);
  },
  "consume, otel with an SDK that records everything": () => {
    registerSdk();
    return consume([otel()]);
  },
};

async function handle(message: { readonly value: unknown }): Promise<void> {
  if (message.value !== value) throw new Error("another value");
}

async function consume(plugins: readonly Plugin<object>[]): Promise<Path> {
  const source = new Source();
  const bus = createEventBus({ group: "bench", transport: source.configured, plugins });
  await bus.subscribe(topic, handle);
  await bus.start();
  return { run: (messages) => source.deliver(messages), close: () => bus.close() };
}

/** With an exporter that is asked over HTTP ten times a second, a hundred and fifty times as often as Prometheus does. */
async function scraped(): Promise<Path> {
  const source = new Source();
  const plugins = [metrics({ server: { port: 0 } })] as const;
  const bus = createEventBus({ group: "bench", transport: source.configured, plugins });
  await bus.subscribe(topic, handle);
  await bus.start();
  const timer = setInterval(
    () => void fetch(`${bus.metrics.url}/metrics`).then((answer) => answer.text()),
    SCRAPE_EVERY_MS,
  );
  return {
    run: (messages) => source.deliver(messages),
    close() {
      clearInterval(timer);
      return bus.close();
    },
  };
}

/** What core does for a message, wired as core wires it, with counters that count nothing and without a timer. */
async function consumeWithoutMetrics(): Promise<Path> {
  const source = new Source();
  const core = coreOf(source);
  const { clock, reporter, hub, transport } = core;
  const running = new RunningHandlers({
    group: "bench",
    clock,
    logger: core.logger,
    recovery: undefined,
    maxProcessingTimeMs: 300_000,
    onOverdue: () => undefined,
  });
  const scheduler = new PartitionScheduler(uncountedRun(core, running));
  const consumer = new GroupConsumer({ group: "bench", transport, clock, reporter, hub });
  await consumer.add({ spec: SPEC, scheduler, startFrom: undefined });
  await consumer.start();
  return {
    run: (messages) => source.deliver(messages),
    async close() {
      running.close();
      await consumer.close({ drainTimeoutMs: 0 });
    },
  };
}

const SPEC: SubscriptionSpec = {
  topic: "bench",
  group: "bench",
  ordering: "partition",
  concurrency: 64,
  plugins: {},
};

function uncountedRun(core: BusCore, running: RunningHandlers): RunDelivery {
  const { clock, random, reporter, hub, diagnostics } = core;
  const none = { add: () => undefined };
  const outcomes = { ack: none, nack: none, aborted: none, dead_lettered: none, skipped: none };
  const settle = createFinish({ spec: SPEC, hub, reporter, outcomes });
  const finish: Finish = (delivery, outcome, redeliverAfterMs) => {
    settle(delivery, outcome, redeliverAfterMs);
    diagnostics.settled(delivery, SPEC, outcome);
  };
  const policies = { retryPolicy: undefined, deadLetterPolicy: undefined, nackUpToMs: undefined };
  return createRun({
    decode: createDecoder(topic),
    handler: diagnostics.traceHandler(handle, SPEC),
    running,
    failures: new FailureChain({ spec: SPEC, clock, random, reporter, finish, ...policies }),
    finish,
    timer: { begin: () => undefined } as never, // what is never begun is never ended
  });
}

async function publish(plugins: readonly Plugin<object>[]): Promise<Path> {
  const bus = createEventBus({ transport: new Source().configured, plugins });
  await bus.start();
  return { run: (messages) => publishAll(bus, messages), close: () => bus.close() };
}

async function publishWithMetrics(): Promise<Path> {
  const publishing = new BusPublishing(coreOf(new Source()).publish);
  return { run: (messages) => publishAll(publishing, messages), close: () => Promise.resolve() };
}

async function publishWithoutMetrics(): Promise<Path> {
  const { transport, diagnostics } = coreOf(new Source());
  const send = diagnostics.tracePublish((messages) => transport.publish(messages));
  // A turn of the queue that counting takes belongs to the path, not to the metrics.
  const publishing = new BusPublishing(async (messages) => await send(messages));
  return { run: (messages) => publishAll(publishing, messages), close: () => Promise.resolve() };
}

/** A hundred publishes at a time, each a call of its own. */
async function publishAll(
  to: { publish(to: typeof topic, value: Uint8Array): Promise<unknown> },
  messages: number,
): Promise<void> {
  const pending: Promise<unknown>[] = [];
  for (let done = 0; done < messages; done += 100) {
    for (let index = 0; index < 100; index++) pending.push(to.publish(topic, value));
    await Promise.all(pending.splice(0));
  }
}

function coreOf(source: Source): BusCore {
  return createBusCore(
    validateOptions(busOptions, { transport: source.configured }, "createEventBus"),
  );
}

function registerSdk(sampler?: Sampler): void {
  const spanProcessors = [new NoopSpanProcessor()];
  const sampled = sampler === undefined ? {} : { sampler };
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors, ...sampled }));
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
}
