import type {
  ConfiguredTransport,
  Deliver,
  Delivery,
  OutgoingMessage,
  Settlement,
  Transport,
} from "@bus/core";

/** Signals are per partition, and a signal with many listeners is slow: not what is measured. */
const PARTITIONS = 512;

/** A transport that keeps nothing: what it delivers is made on the spot, what is published is counted and dropped. */
export class MessageSource {
  readonly transport: ConfiguredTransport;
  readonly #signals = Array.from({ length: PARTITIONS }, () => new AbortController().signal);
  readonly published: Map<string, number> = new Map();
  /** Deliveries acknowledged. */
  acknowledged = 0;
  #stores: Promise<void> = Promise.resolve();
  #deliver: Deliver = () => undefined;
  #next = 0n;

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
      publish: (messages) => this.#publish(messages),
      subscribe: (_request, deliver) => {
        this.#deliver = deliver;
        return Promise.resolve(subscription);
      },
      close,
    };
    this.transport = { kind: "transport", name: "source", options: {}, create: () => transport };
  }

  /** Deliver messages of one size, each with a key of its own. */
  deliver(topic: string, count: number, bytes: number): void {
    for (let index = 0; index < count; index++) this.#deliver(this.#delivery(topic, bytes));
  }

  /** Let nothing that is published be stored until `go`. */
  holdStores(): { readonly go: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stores = promise;
    return { go: resolve };
  }

  #delivery(topic: string, bytes: number): Delivery {
    const offset = this.#next++;
    const partition = Number(offset) % PARTITIONS;
    const signal = this.#signals[partition] ?? new AbortController().signal;
    return {
      topic,
      partition,
      offset,
      timestampMs: 0,
      key: Buffer.from(`key-${offset}`),
      value: Buffer.alloc(bytes),
      headers: [],
      attempt: 1,
      sizeBytes: bytes,
      draining: signal,
      signal,
      settle: ({ kind }: Settlement) => {
        if (kind === "ack") this.acknowledged++;
      },
    };
  }

  async #publish(messages: readonly OutgoingMessage[]) {
    await this.#stores;
    for (const { topic } of messages)
      this.published.set(topic, (this.published.get(topic) ?? 0) + 1);
    return messages.map(({ topic }) => ({ topic, partition: 0, offset: 0n }));
  }
}
