import { defineTransport } from "@bus/core";
import type {
  Deliver,
  Delivery,
  OutgoingMessage,
  PublishReceipt,
  Settlement,
  Transport,
  TransportDefinition,
} from "@bus/core";
import { messageSizeBytes, optionTable } from "@bus/core/adapter";

/** The smallest transport: one partition per topic, one group, nothing survives the process. */
export const loopback: TransportDefinition<object> = defineTransport({
  name: "loopback",
  options: optionTable<object, object>({}),
  create: (_options, host) => createLoopback(() => host.clock.now()),
});

function createLoopback(now: () => number): Transport {
  const logs = new Map<string, OutgoingMessage[]>();
  let readers: LoopbackMember[] = [];
  const logOf = (topic: string): OutgoingMessage[] =>
    logs.get(topic) ?? logs.set(topic, []).get(topic) ?? [];
  return {
    name: "loopback",
    capabilities: { ordering: "partition" },
    connect: () => Promise.resolve(),
    async publish(messages) {
      const receipts = messages.map((message): PublishReceipt => {
        const offset = logOf(message.topic).push({ timestampMs: now(), ...message }) - 1;
        return { topic: message.topic, partition: 0, offset: BigInt(offset) };
      });
      for (const reader of readers) reader.read();
      return receipts;
    },
    async subscribe({ topics }, deliver) {
      const member = new LoopbackMember(logOf, deliver);
      member.setTopics(topics.filter(({ held }) => held !== true).map(({ topic }) => topic));
      readers.push(member);
      return {
        update: async (wanted) =>
          member.setTopics(wanted.filter(({ held }) => held !== true).map(({ topic }) => topic)),
        pause: ({ topic }) => member.pause(topic),
        resume: ({ topic }) => member.resume(topic),
        partitions: () => [],
        close: () => member.close(),
      };
    },
    async close() {
      for (const reader of readers) await reader.close();
      readers = [];
      return { abandonedDeliveries: 0 };
    },
  };
}

/** Reads every topic from where it stands, and counts what has not settled. */
class LoopbackMember {
  readonly #logOf: (topic: string) => readonly OutgoingMessage[];
  readonly #deliver: Deliver;
  readonly #next = new Map<string, number>();
  readonly #paused = new Set<string>();
  readonly #draining = new AbortController();
  readonly #stop = new AbortController();
  #topics: readonly string[] = [];
  #unsettled = 0;
  #idle: () => void = () => undefined;

  constructor(logOf: (topic: string) => readonly OutgoingMessage[], deliver: Deliver) {
    this.#logOf = logOf;
    this.#deliver = deliver;
  }

  setTopics(topics: readonly string[]): void {
    this.#topics = topics;
    this.read();
  }

  pause(topic: string): void {
    this.#paused.add(topic);
  }

  resume(topic: string): void {
    this.#paused.delete(topic);
    this.read();
  }

  read(): void {
    for (const topic of this.#topics) {
      const log = this.#logOf(topic);
      for (
        let offset = this.#next.get(topic) ?? 0;
        this.#mayRead(topic) && offset < log.length;
        offset++
      ) {
        this.#next.set(topic, offset + 1);
        const message = log[offset];
        if (message !== undefined) this.#hand(message, offset);
      }
    }
  }

  async close(): Promise<{ readonly abandonedDeliveries: number }> {
    this.#draining.abort();
    if (this.#unsettled > 0) await new Promise<void>((resolve) => void (this.#idle = resolve));
    this.#stop.abort();
    return { abandonedDeliveries: 0 };
  }

  #mayRead(topic: string): boolean {
    return !this.#draining.signal.aborted && !this.#paused.has(topic);
  }

  #hand(message: OutgoingMessage, offset: number): void {
    this.#unsettled++;
    const delivery: Delivery = {
      ...message,
      timestampMs: message.timestampMs ?? 0,
      partition: 0,
      offset: BigInt(offset),
      attempt: 1,
      sizeBytes: messageSizeBytes(message),
      draining: this.#draining.signal,
      signal: this.#stop.signal,
      settle: (_settlement: Settlement) => {
        this.#unsettled--;
        if (this.#unsettled === 0) this.#idle();
      },
    };
    this.#deliver(delivery);
  }
}
