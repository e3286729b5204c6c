import { ACK, createEventBus, createInstruments } from "@bus/core";
import type { Delivery, OutgoingMessage, Transport, TransportHost } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { memory, memoryBroker } from "@bus/memory";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";
import type { Measurement } from "./side-by-side.ts";

const MESSAGES = 1_000_000;
const BATCH = 1000;
const PARTITIONS = 16;
const ROUNDS = 5;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const VALUE = new Uint8Array(200);
const HEADERS = [["content-type", bytes("application/json")]] as const;
const KEYS = Array.from({ length: BATCH }, (_, i) => bytes(`order-${1_000_000 + i}`));
const MESSAGE_BATCH: readonly OutgoingMessage[] = KEYS.map((key) => {
  return { topic: "orders", key, value: VALUE, headers: HEADERS };
});

const quiet = (): void => {};
const host: TransportHost = {
  clock: systemClock,
  logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  instruments: createInstruments(),
  random: Math.random,
  emit: quiet,
};

async function publishAll(transport: Transport): Promise<void> {
  for (let sent = 0; sent < MESSAGES; sent += BATCH) await transport.publish(MESSAGE_BATCH);
}

/** Receives and settles every message, then says so. */
type Receiver = (done: () => void) => (delivery: Delivery) => void;

const atOnce: Receiver = (done) => {
  let left = MESSAGES;
  return (delivery) => {
    delivery.settle(ACK);
    left -= 1;
    if (left === 0) done();
  };
};

/** Settles one microtask later, as an asynchronous handler that does nothing lets the bus do. */
const soon: Receiver = (done) => {
  let left = MESSAGES;
  const handle = async (delivery: Delivery): Promise<void> => {
    await Promise.resolve();
    delivery.settle(ACK);
    left -= 1;
    if (left === 0) done();
  };
  return (delivery) => void handle(delivery);
};

const subscribed = (transport: Transport, receiver: Receiver): Promise<void> =>
  new Promise((resolve) => {
    void transport.subscribe(
      { group: "billing", topics: [{ topic: "orders" }] },
      receiver(resolve),
    );
  });

async function connected(): Promise<Transport> {
  const transport = memory({ broker: memoryBroker({ partitions: PARTITIONS }) }).create(host);
  await transport.connect();
  return transport;
}

async function publishOnly(): Promise<Measurement> {
  const transport = await connected();
  const measurement = await measure(MESSAGES, () => publishAll(transport));
  await transport.close({ drainTimeoutMs: 0 });
  return measurement;
}

/** Everything is there before the first message is received. */
async function backlog(receiver: Receiver): Promise<Measurement> {
  const transport = await connected();
  await publishAll(transport);
  const measurement = await measure(MESSAGES, () => subscribed(transport, receiver));
  await transport.close({ drainTimeoutMs: 1000 });
  return measurement;
}

/** Publishing and receiving at the same time. */
async function live(receiver: Receiver): Promise<Measurement> {
  const transport = await connected();
  const measurement = await measure(MESSAGES, async () => {
    const received = subscribed(transport, receiver);
    await publishAll(transport);
    await received;
  });
  await transport.close({ drainTimeoutMs: 1000 });
  return measurement;
}

/** A backlog through a whole bus, to an asynchronous handler that does nothing. */
async function wholeBus(): Promise<Measurement> {
  const broker = memoryBroker({ partitions: PARTITIONS });
  const publisher = memory({ broker }).create(host);
  await publisher.connect();
  await publishAll(publisher);
  const bus = createEventBus({ group: "billing", transport: memory({ broker }) });
  let left = MESSAGES;
  const handled = new Promise<void>((resolve) => {
    void bus.subscribe("orders", async () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
  const measurement = await measure(MESSAGES, async () => {
    await bus.start();
    await handled;
  });
  await bus.close();
  await publisher.close({ drainTimeoutMs: 0 });
  return measurement;
}

/** What the asynchronous handler costs when somebody just calls and awaits it. */
function bareHandler(): Promise<Measurement> {
  let left = MESSAGES;
  const handle = async (): Promise<void> => {
    left -= 1;
  };
  return measure(MESSAGES, async () => {
    while (left > 0) await handle();
  });
}

const contenders = [
  { name: "a handler that does nothing, called and awaited", run: bareHandler },
  { name: "publish, 1,000 messages a call", run: publishOnly },
  { name: "deliver a backlog, settled at once", run: () => backlog(atOnce) },
  { name: "deliver a backlog, settled a microtask later", run: () => backlog(soon) },
  { name: "publish and deliver, settled a microtask later", run: () => live(soon) },
  { name: "a backlog through a whole bus to that handler", run: wholeBus },
];
const title = `The memory transport, ${MESSAGES.toLocaleString("en-US")} messages over ${PARTITIONS} partitions`;
printTable(title, await runSideBySide(contenders, ROUNDS));
