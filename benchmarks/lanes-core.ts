import { systemClock } from "@bus/core/adapter";
import { createInstruments } from "@bus/core";
import type { Delivery } from "@bus/core";
import { createLaneKey } from "../packages/aggregate/src/aggregate-id.ts";
import { KeyScheduler } from "../packages/aggregate/src/key-scheduler.ts";
import { LanePool } from "../packages/aggregate/src/lane-pool.ts";
import type { Mode } from "../packages/aggregate/src/route.ts";

/**
 * What a lane costs: the time of a message through `KeyScheduler` and `LanePool` with a handler that does nothing,
 * beside a bare loop that awaits the same handler. The feeder keeps between 1,000 and 2,000 messages in flight, as a
 * transport with its default bound does. Time is CPU time of the thread, since neighbours change the wall time.
 *
 * Run: `node --expose-gc --conditions=@bus/source benchmarks/lanes-core.ts [messages]`
 */
const MESSAGES = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 5;
const IN_FLIGHT = 2000;
const PARTITIONS = 16;

interface Scenario {
  readonly name: string;
  readonly mode: Mode;
  readonly keyOf: (index: number) => string;
  readonly concurrency?: number;
  readonly maxLanes?: number;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "recovery, 800 keys, uniform",
    mode: "recovery",
    keyOf: (index) => `key-${(index * 7919) % 800}`,
  },
  {
    name: "recovery, 100,000 keys, uniform (each message evicts a lane)",
    mode: "recovery",
    keyOf: (index) => `key-${(index * 7919) % 100_000}`,
  },
  {
    name: "recovery, one key has half of the messages",
    mode: "recovery",
    keyOf: (index) => (index % 2 === 0 ? "hot" : `key-${(index * 7919) % 800}`),
  },
  { name: "recovery, no key", mode: "recovery", keyOf: () => "" },
  {
    name: "normal, 100,000 keys, uniform",
    mode: "normal",
    keyOf: (index) => `key-${(index * 7919) % 100_000}`,
  },
  {
    name: "normal, one key has half of the messages",
    mode: "normal",
    keyOf: (index) => (index % 2 === 0 ? "hot" : `key-${(index * 7919) % 800}`),
  },
];

const signal = new AbortController().signal;
let handled = 0;

async function run(delivery: Delivery): Promise<void> {
  handled += delivery.attempt;
}

function makeDeliveries(keyOf: (index: number) => string): Delivery[] {
  return Array.from({ length: MESSAGES }, (_, index) => ({
    topic: "orders",
    partition: index % PARTITIONS,
    offset: 0n,
    timestampMs: 0,
    key: Buffer.from(keyOf(index)),
    value: null,
    headers: [],
    attempt: 1,
    sizeBytes: 0,
    draining: signal,
    signal,
    settle: () => undefined,
  }));
}

async function bareLoop(deliveries: readonly Delivery[]): Promise<void> {
  for (const delivery of deliveries) await run(delivery);
}

function throughLanes(deliveries: readonly Delivery[], scenario: Scenario): Promise<void> {
  const instruments = createInstruments();
  const spec = {
    name: "bus_lane_wait_seconds",
    help: "",
    kind: "histogram",
    labels: [],
    buckets: [0.001, 0.01, 0.1, 1, 10],
  } as const;
  const { concurrency = 64, maxLanes = 1000 } = scenario;
  const options = { concurrency, maxLanes, mailboxSize: 100, idleTimeoutMs: 300_000 };
  const pool = new LanePool(
    options,
    { clock: systemClock, waits: instruments.histogram(spec) },
    scenario.mode,
  );
  return new Promise((resolve) => {
    let next = 0;
    let settled = 0;
    const paused = new Set<number>();
    const feed = (): void => {
      while (next < deliveries.length && next - settled < IN_FLIGHT) {
        const delivery = deliveries[next++];
        if (delivery !== undefined) scheduler.schedule(delivery);
      }
    };
    const counted = async (delivery: Delivery): Promise<void> => {
      handled += delivery.attempt;
      settled++;
      if (settled === deliveries.length) {
        pool.close();
        resolve();
      } else if (next - settled === IN_FLIGHT / 2) queueMicrotask(feed);
    };
    const scheduler = new KeyScheduler({
      pool,
      run: counted,
      spec: { topic: "orders" },
      flow: {
        pause: ({ partition }) => void paused.add(partition),
        resume: ({ partition }) => void paused.delete(partition),
      },
      promise: "ordered",
      laneKey: createLaneKey("", undefined, { sources: ["key"], header: "aggregate-id" }),
      onKeyFailure: () => undefined,
    });
    feed();
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const start = process.threadCpuUsage();
  await work();
  const { user, system } = process.threadCpuUsage(start);
  return ((user + system) * 1000) / MESSAGES;
}

function summary(values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const [low, high] = [sorted.at(0) ?? 0, sorted.at(-1) ?? 0];
  return `${median(values).toFixed(0).padStart(5)} [${low.toFixed(0)}–${high.toFixed(0)}]`;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

async function measure(scenario: Scenario): Promise<void> {
  const deliveries = makeDeliveries(scenario.keyOf);
  const bare: number[] = [];
  const lanes: number[] = [];
  await bareLoop(deliveries);
  await throughLanes(deliveries, scenario);
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await timed(() => bareLoop(deliveries)));
    lanes.push(await timed(() => throughLanes(deliveries, scenario)));
  }
  const cost = lanes.map((value, index) => value - (bare[index] ?? 0));
  console.log(
    `${scenario.name}\n  bare ${summary(bare)}   lanes ${summary(lanes)}   lane cost ${summary(cost)} ns/message`,
  );
}

console.log(
  `${MESSAGES} messages, ${ROUNDS} alternating rounds, median [lowest–highest], node ${process.version}`,
);
for (const scenario of SCENARIOS) await measure(scenario);
if (handled === 0) throw new Error("nothing was handled");
