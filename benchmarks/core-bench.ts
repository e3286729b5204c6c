import { createEventBus, defineTopic } from "@bus/core";
import type { ConfiguredTransport, Deliver, Delivery, Transport } from "@bus/core";
import { memory } from "@bus/memory";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";
import type { Contender } from "./side-by-side.ts";

/** How much a message costs on its way through core: dispatch alone, and the whole bus over the memory transport. */
const MESSAGES = 1_000_000;
const ROUNDS = 5;
const PARTITIONS = 16;
const IN_FLIGHT = 2_000;

const topic = defineTopic<Uint8Array>("bench", {
  codec: { encode: (value) => value, decode: (bytes) => bytes },
});
const value = new Uint8Array(256);

/** The least that any bus must do: call the handler and await it, one message after the other. */
function bareLoop(): Contender {
  return {
    name: "bare awaited handler",
    run: () =>
      measure(MESSAGES, async () => {
        let handled = 0;
        const handler = async (message: Uint8Array): Promise<void> => {
          handled += message.length;
        };
        for (let index = 0; index < MESSAGES; index++) await handler(value);
      }),
  };
}

/** Core alone: deliveries that are made once and handed to a bus again and again, with no transport behind them. */
function coreDispatch(ordering: "partition" | "none"): Contender {
  return {
    name: `core dispatch, ordering ${ordering}`,
    async run() {
      const source = new DeliverySource();
      const bus = createEventBus({ group: "bench", transport: source.transport });
      let handled = 0;
      await bus.subscribe(topic, async (message) => void (handled += message.value.length), {
        ordering,
      });
      await bus.start();
      const measurement = await measure(MESSAGES, () => source.deliverAll(MESSAGES));
      await bus.close();
      if (handled !== MESSAGES * value.length) throw new Error(`handled ${handled}`);
      return measurement;
    },
  };
}

/** The whole bus over the memory transport: publish first, then consume everything. */
function throughMemory(): Contender {
  return {
    name: "bus over memory, consume",
    async run() {
      const bus = createEventBus({ group: "bench", transport: memory({ partitions: PARTITIONS }) });
      let handled = 0;
      let done: () => void = () => undefined;
      const finished = new Promise<void>((resolve) => {
        done = resolve;
      });
      const publisher = bus;
      await bus.start();
      const values = Array.from({ length: 10_000 }, () => value);
      for (let published = 0; published < MESSAGES; published += values.length)
        await publisher.publishMany(topic, values);
      const measurement = await measure(MESSAGES, async () => {
        await bus.subscribe(topic, async () => {
          if (++handled === MESSAGES) done();
        });
        await finished;
      });
      await bus.close();
      return measurement;
    },
  };
}

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
  readonly partition: number;
  readonly offset = 0n;
  readonly #source: DeliverySource;

  constructor(partition: number, source: DeliverySource) {
    this.partition = partition;
    this.#source = source;
  }

  settle(): void {
    this.#source.settled();
  }
}

/** A transport that only delivers, as fast as core settles, within an in-flight bound. */
class DeliverySource {
  readonly transport: ConfiguredTransport;
  #deliver: Deliver = () => undefined;
  #finish: () => void = () => undefined;
  #total = 0;
  #delivered = 0;
  #settled = 0;

  constructor() {
    const close = () => Promise.resolve({ abandonedDeliveries: 0 });
    const subscription = {
      update: () => Promise.resolve(),
      pause: () => undefined,
      resume: () => undefined,
      partitions: () => [],
      close,
    };
    const transport: Transport = {
      name: "source",
      capabilities: { ordering: "partition" },
      connect: () => Promise.resolve(),
      publish: () => Promise.resolve([]),
      subscribe: (_request, deliver) => {
        this.#deliver = deliver;
        return Promise.resolve(subscription);
      },
      close,
    };
    this.transport = { kind: "transport", name: "source", options: {}, create: () => transport };
  }

  deliverAll(total: number): Promise<void> {
    this.#total = total;
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#fill();
    });
  }

  settled(): void {
    this.#settled++;
    if (this.#settled === this.#total) this.#finish();
    // Fetched in bulk, as a real client does: half the bound at a time.
    else if (this.#delivered - this.#settled === IN_FLIGHT / 2) this.#fill();
  }

  #fill(): void {
    while (this.#delivered < this.#total && this.#delivered - this.#settled < IN_FLIGHT) {
      this.#deliver(new BenchDelivery(this.#delivered++ % PARTITIONS, this));
    }
  }
}

const results = await runSideBySide(
  [bareLoop(), coreDispatch("partition"), coreDispatch("none"), throughMemory()],
  ROUNDS,
);
printTable(
  `core, ${MESSAGES.toLocaleString("en-US")} messages, ${ROUNDS} alternating runs, median [min–max]`,
  results,
);
const [bare, partition, none] = results.map(({ nsPerMessage }) => nsPerMessage.median);
if (bare !== undefined && partition !== undefined && none !== undefined) {
  console.log(
    `\ncore dispatch beyond a bare awaited handler: ${Math.round(partition - bare)} ns (partition), ${Math.round(none - bare)} ns (none); budget 300 ns`,
  );
}
