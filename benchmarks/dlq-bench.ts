import { setTimeout as sleep } from "node:timers/promises";
import { aggregate } from "@bus/aggregate";
import { createEventBus, defineTopic } from "@bus/core";
import type { ConfiguredTransport, Deliver, Delivery, Transport } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";
import type { Contender } from "./side-by-side.ts";

/** What dead letters cost: a message that succeeds, and the neighbours of messages that fail for ever. */
const MESSAGES = 1_000_000;
const ROUNDS = 7;
const PARTITIONS = 16;
const IN_FLIGHT = 2_000;
const LATENCY_ROUNDS = 3;
const LATENCY_MESSAGES = 5_000;
const LATENCY_KEYS = 500;
const BURST = 10;
const BURST_INTERVAL_MS = 10;

const codec = { encode: (value: Uint8Array) => value, decode: (bytes: Uint8Array) => bytes };
const topic = defineTopic<Uint8Array>("bench", { codec });
const value = new Uint8Array(256);
const never = new AbortController().signal;

class BenchDelivery implements Delivery {
  readonly topic = "bench";
  readonly key = null;
  readonly value = value;
  readonly headers = [];
  readonly timestampMs = 0;
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

/** A transport that only delivers, as fast as core settles. */
function source(): { readonly transport: ConfiguredTransport; deliverAll(): Promise<void> } {
  let deliver: Deliver = () => undefined;
  let delivered = 0;
  let settled = 0;
  let finish: () => void = () => undefined;
  const fill = (): void => {
    while (delivered < MESSAGES && delivered - settled < IN_FLIGHT)
      deliver(new BenchDelivery(delivered++ % PARTITIONS, onSettled));
  };
  const onSettled = (): void => {
    settled += 1;
    if (settled === MESSAGES) finish();
    else if (delivered - settled === IN_FLIGHT / 2) fill();
  };
  const close = () => Promise.resolve({ abandonedDeliveries: 0 });
  const nothing = (): void => undefined;
  const member = {
    update: async () => undefined,
    pause: nothing,
    resume: nothing,
    partitions: () => [],
    close,
  };
  const transport: Transport = {
    name: "source",
    capabilities: { ordering: "partition" },
    connect: () => Promise.resolve(),
    publish: () => Promise.resolve([]),
    subscribe: (_request, deliverTo) => {
      deliver = deliverTo;
      return Promise.resolve(member);
    },
    close,
  };
  return {
    transport: { kind: "transport", name: "source", options: {}, create: () => transport },
    deliverAll: () =>
      new Promise((resolve) => {
        finish = resolve;
        fill();
      }),
  };
}

/** Core alone, with and without the plugin: what succeeds must not pay for what could fail. */
function dispatch(name: string, plugins: readonly ReturnType<typeof dlq>[]): Contender {
  return {
    name,
    async run() {
      const from = source();
      const bus = createEventBus({ group: "bench", transport: from.transport, plugins });
      let handled = 0;
      await bus.subscribe(topic, async (message) => void (handled += message.value.length));
      await bus.start();
      const measurement = await measure(MESSAGES, () => from.deliverAll());
      await bus.close();
      if (handled !== MESSAGES * value.length) throw new Error(`handled ${handled}`);
      return measurement;
    },
  };
}

/** Milliseconds from publish to handler, of messages that succeed, while a share of the others fails for ever. */
async function latencies(failEvery: number): Promise<readonly number[]> {
  const seen: number[] = [];
  const bus = createEventBus({
    group: "bench",
    transport: memory({ broker: memoryBroker({ partitions: PARTITIONS }) }),
    drainTimeoutMs: 1_000,
    plugins: [aggregate({ startMode: "normal" }), dlq({ onExhausted: "block" })],
  });
  const timed = defineTopic<{ readonly n: number; readonly at: number }>("timed");
  let good = 0;
  await bus.subscribe(
    timed,
    async (message) => {
      if (message.value.n % failEvery === 0) throw new Error("fails for ever");
      seen.push(performance.now() - message.value.at);
    },
    { ordering: "key" },
  );
  await bus.start();
  for (let n = 1; n <= LATENCY_MESSAGES; n += BURST) {
    for (let i = n; i < n + BURST; i += 1) {
      const fails = i % failEvery === 0;
      if (!fails) good += 1;
      // A message that fails for ever holds its own key.
      const key = fails ? `failing-${i}` : `key-${i % LATENCY_KEYS}`;
      await bus.publish(timed, { n: i, at: performance.now() }, { key });
    }
    await sleep(BURST_INTERVAL_MS);
  }
  const deadline = performance.now() + 20_000;
  while (seen.length < good && performance.now() < deadline) await sleep(20);
  await bus.close();
  if (seen.length < good)
    throw new Error(`only ${seen.length} of ${good} good messages were handled`);
  return seen;
}

const p99 = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length * 0.99)] ?? Number.NaN;

const results = await runSideBySide(
  [dispatch("without dlq", []), dispatch("with dlq", [dlq()])],
  ROUNDS,
);
printTable(
  `success path, ${MESSAGES.toLocaleString("en-US")} messages, ${ROUNDS} alternating runs`,
  results,
);
const [without, withDlq] = results.map(({ nsPerMessage }) => nsPerMessage.median);
console.log(
  `the plugin costs ${((withDlq ?? 0) - (without ?? 0)).toFixed(0)} ns a message that succeeds`,
);

const rounds: { readonly base: number; readonly failing: number }[] = [];
for (let round = 0; round < LATENCY_ROUNDS; round += 1)
  rounds.push({ base: p99(await latencies(Infinity)), failing: p99(await latencies(100)) });
for (const { base, failing } of rounds)
  console.log(
    `p99 ${base.toFixed(2)} ms, with 1 % failing for ever ${failing.toFixed(2)} ms, ratio ${(failing / base).toFixed(2)}`,
  );
