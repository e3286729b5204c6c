import { randomUUID } from "node:crypto";
import { ACK, BusConfigError, BusError, BusTransportError, RELEASE } from "@bus/core";
import type {
  Clock,
  Delivery,
  LagReader,
  PartitionLag,
  Transport,
  TransportSubscription,
} from "@bus/core";
import { wait } from "@bus/core/adapter";

/** How often it is asked whether the end was passed without a message, as behind a transaction's marker. */
const POSITION_POLL_MS = 250;

/** Called with each message in order of its partition; the next bytes come when the promise has settled. */
export type ReadMessage = (delivery: Delivery) => Promise<void> | void;

/** What is read. */
export interface TopicReading {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly topic: string;
  readonly read: ReadMessage;
  /** Read up to the end that the topic had when reading began, or follow it for ever. */
  readonly until: "end" | "closed";
  readonly signal: AbortSignal;
}

/** Offsets by partition. */
export type Positions = ReadonlyMap<number, bigint>;

/**
 * Reads a topic from its beginning through the transport's own subscribe, as the only member of a group that nobody
 * else has. What has been read is acknowledged, so that the transport's bounds of messages in flight bound the memory.
 */
export class TopicReader {
  readonly #reading: TopicReading;
  readonly #positions = new Map<number, bigint>();
  readonly #waiters = new Set<() => void>();
  #ends: Positions = new Map();
  #total = 0;
  #isStopped = false;
  #subscription: TransportSubscription | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isClosed = false;
  readonly group: string;

  constructor(reading: TopicReading) {
    this.#reading = reading;
    this.group = `${reading.topic}.reader-${randomUUID()}`;
  }

  /** Begin to read. @throws BusConfigError `BUS_UNSUPPORTED`, BusError of the transport */
  async open(): Promise<void> {
    const { transport, topic, signal } = this.#reading;
    const filled = await readFilled(transport, { topic, group: this.group, signal });
    this.#ends = new Map(filled.map(({ partition, high }) => [partition, high]));
    this.#total = filled.reduce((sum, { low, high }) => sum + Number(high - low), 0);
    if (filled.length === 0 && this.#reading.until === "end") return;
    const topics = [{ topic, startFrom: "earliest" }] as const;
    const request = { group: this.group, topics, transient: true };
    this.#subscription = await transport.subscribe(request, (delivery) => {
      void this.#take(delivery);
    });
  }

  /** The end of each partition when reading began; partitions without messages have none. */
  get ends(): Positions {
    return this.#ends;
  }

  /** Messages that there were when reading began, or a little more: offsets without a message count. */
  get total(): number {
    return this.#total;
  }

  /** Read nothing more; `reached` resolves. */
  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** Resolves when everything before these offsets has been read. @throws what reading failed with, `BUS_ABORTED` */
  async reached(ends: Positions = this.#ends): Promise<void> {
    const { clock, signal } = this.#reading;
    while (!this.#isAt(ends)) {
      if (this.#failure !== undefined) throw asError(this.#failure.error);
      if (signal.aborted) throw aborted(this.#reading.topic, signal);
      await this.#change(clock, signal);
    }
  }

  /** The subscription behind this reader has ended for good. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Leave the group; nothing is read any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#subscription?.close({ drainTimeoutMs: 0 });
  }

  async #take(delivery: Delivery): Promise<void> {
    const { partition, offset } = delivery;
    const end = this.#reading.until === "end" ? (this.#ends.get(partition) ?? 0n) : undefined;
    if (this.#isStopped || this.#isClosed || this.#failure !== undefined)
      return delivery.settle(RELEASE);
    const isNew = offset >= (this.#positions.get(partition) ?? 0n);
    try {
      if (isNew && (end === undefined || offset < end)) await this.#reading.read(delivery);
    } catch (error) {
      this.fail(error);
      return delivery.settle(RELEASE);
    }
    delivery.settle(ACK);
    if (isNew) this.#positions.set(partition, offset + 1n);
    this.#wake();
  }

  #isAt(ends: Positions): boolean {
    const missing = [...ends].filter(
      ([partition, end]) => (this.#positions.get(partition) ?? 0n) < end,
    );
    if (missing.length === 0 || this.#isStopped) return true;
    const committed = new Map(
      this.#subscription
        ?.partitions()
        .map(({ partition, committedOffset }) => [partition, committedOffset ?? 0n] as const),
    );
    return missing.every(([partition, end]) => (committed.get(partition) ?? 0n) >= end);
  }

  async #change(clock: Clock, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiters.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await wait(clock, POSITION_POLL_MS, woken.signal);
    signal.removeEventListener("abort", wake);
    this.#waiters.delete(wake);
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }
}

interface EndsQuery {
  readonly topic: string;
  readonly group: string;
  readonly signal: AbortSignal;
}

/** The partitions that have messages, and where they begin and end. */
async function readFilled(
  transport: Transport,
  { topic, group, signal }: EndsQuery,
): Promise<readonly PartitionLag[]> {
  const lag = requireLag(transport);
  const { partitions, unknown } = await lag.read({ group, topics: [topic], signal });
  const [first] = unknown;
  if (first !== undefined) {
    if (BusError.is(first.error)) throw first.error;
    throw new BusTransportError("BUS_TRANSPORT", `the end of topic ${topic} could not be read`, {
      details: { topic },
      cause: first.error,
    });
  }
  return partitions.filter(({ low, high }) => low < high);
}

function requireLag({ name, capabilities }: Transport): LagReader {
  if (capabilities.lag !== undefined) return capabilities.lag;
  throw new BusConfigError(
    "BUS_UNSUPPORTED",
    `dead letters can be read only where the end of a topic is known: ${name} has no capability lag`,
    { details: { transport: name, capability: "lag" } },
  );
}

function aborted(topic: string, signal: AbortSignal): BusError {
  return new BusError("BUS_ABORTED", `reading topic ${topic} was aborted`, {
    details: { topic },
    cause: signal.reason,
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new BusError("BUS_TRANSPORT", String(error));
}

/** Whether a topic is there; taken for granted where the transport cannot tell. */
export async function topicExists({ capabilities }: Transport, topic: string): Promise<boolean> {
  const { topics } = capabilities;
  return topics === undefined || (await topics.describe([topic])).length > 0;
}
