import { ACK, createInstruments } from "@bus/core";
import type { Delivery, OutgoingMessage, TransportHost } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";

const MESSAGES = 1_000_000;
const BATCH = 1000;
const PARTITIONS = 16;
const RUNS = 5;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const VALUE = new Uint8Array(200);
const HEADERS = [["content-type", bytes("application/json")]] as const;

const quiet = (): void => {};
const host: TransportHost = {
  clock: systemClock,
  logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  instruments: createInstruments(),
  random: Math.random,
  emit: quiet,
};

/** Batches over 1,000 keys. */
function batches(): readonly (readonly OutgoingMessage[])[] {
  const keys = Array.from({ length: BATCH }, (_, i) => bytes(`order-${1_000_000 + i}`));
  const batch = keys.map((key) => ({ topic: "orders", key, value: VALUE, headers: HEADERS }));
  return Array.from({ length: MESSAGES / BATCH }, () => batch);
}

interface Timing {
  readonly publishNs: number;
  readonly deliverNs: number;
}

type Receiver = (done: () => void) => (delivery: Delivery) => void;

/** Publish everything, then receive and settle everything. */
async function run(receiver: Receiver): Promise<Timing> {
  const transport = memory({ broker: memoryBroker({ partitions: PARTITIONS }) }).create(host);
  await transport.connect();
  const prepared = batches();
  const startedMs = performance.now();
  for (const batch of prepared) await transport.publish(batch);
  const publishedMs = performance.now();
  await new Promise<void>((resolve) => {
    void transport.subscribe(
      { group: "billing", topics: [{ topic: "orders" }] },
      receiver(resolve),
    );
  });
  const deliveredMs = performance.now();
  await transport.close({ drainTimeoutMs: 1000 });
  const nsPerMessage = (ms: number): number => (ms * 1e6) / MESSAGES;
  return {
    publishNs: nsPerMessage(publishedMs - startedMs),
    deliverNs: nsPerMessage(deliveredMs - publishedMs),
  };
}

/** Settles inside `deliver`. */
const atOnce: Receiver = (done) => {
  let settled = 0;
  return (delivery) => {
    delivery.settle(ACK);
    settled += 1;
    if (settled === MESSAGES) done();
  };
};

/** Settles one microtask after another, as the bus does with an asynchronous handler that does nothing. */
const soon: Receiver = (done) => {
  let settled = 0;
  const handle = async (delivery: Delivery): Promise<void> => {
    await undefined;
    delivery.settle(ACK);
    settled += 1;
    if (settled === MESSAGES) done();
  };
  return (delivery) => void handle(delivery);
};

/** The same without a transport: what the handler itself costs. */
async function bareNs(): Promise<number> {
  let handled = 0;
  const handle = async (): Promise<void> => {
    await undefined;
    handled += 1;
  };
  const startedMs = performance.now();
  while (handled < MESSAGES) {
    const pending: Promise<void>[] = [];
    for (let i = 0; i < BATCH; i += 1) pending.push(handle());
    await pending.at(-1);
  }
  return ((performance.now() - startedMs) * 1e6) / MESSAGES;
}

const median = (numbers: readonly number[]): string => {
  const sorted = numbers.toSorted((left, right) => left - right);
  return (sorted[Math.floor(sorted.length / 2)] ?? Number.NaN).toFixed(0).padStart(6);
};

async function measure(name: string, receiver: Receiver): Promise<void> {
  await run(receiver);
  const timings: Timing[] = [];
  for (let i = 0; i < RUNS; i += 1) timings.push(await run(receiver));
  console.log(
    `${median(timings.map(({ publishNs }) => publishNs))} ns  publish, 1,000 messages a call`,
  );
  console.log(`${median(timings.map(({ deliverNs }) => deliverNs))} ns  ${name}`);
}

await measure("deliver and settle at once", atOnce);
await measure("deliver and settle one microtask later", soon);
const bare: number[] = [];
for (let i = 0; i < RUNS; i += 1) bare.push(await bareNs());
console.log(`${median(bare)} ns  the same asynchronous handler without a transport`);
