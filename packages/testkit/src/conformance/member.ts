import { ACK, RELEASE } from "@bus/core";
import type {
  Delivery,
  HeaderList,
  Settlement,
  SubscriptionRequest,
  TopicSubscription,
  TransportSubscription,
} from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import type { Lab, LabProcess } from "./lab.ts";

/** A delivery as a member got it. Fields that may be views are copied, because tests look at them later. */
export interface Received {
  readonly delivery: Delivery;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly attempt: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: HeaderList;
  readonly sizeBytes: number;
  readonly atMs: number;
  /** Whether the test has settled it. */
  readonly settled: boolean;
  settle(settlement: Settlement): void;
}

/** What to do with a delivery when it comes; `undefined` keeps it unsettled. */
export type React = (received: Received) => Settlement | undefined;

/** Acknowledge at once. */
export const acknowledge: React = () => ACK;

/** Keep everything unsettled. */
export const keep: React = () => undefined;

/** A member of a group at the level of the transport contract: the test itself settles. */
export interface Member {
  readonly subscription: TransportSubscription;
  readonly request: SubscriptionRequest;
  /** Everything delivered, in order of delivery. */
  readonly received: readonly Received[];
  /** What is delivered and not settled. */
  readonly inFlight: InFlight;
}

/** Deliveries not settled: now and at most. */
export interface InFlight {
  readonly messages: number;
  readonly bytes: number;
  readonly peakMessages: number;
  readonly peakBytes: number;
}

/** How to join. */
export interface JoinOptions {
  readonly group: string;
  readonly topics: readonly (string | TopicSubscription)[];
  /** @defaultValue keep */
  readonly react?: React;
}

/** Join a group and record what comes. The membership is closed when the test ends. */
export async function join(lab: Lab, process: LabProcess, options: JoinOptions): Promise<Member> {
  const received: Received[] = [];
  const inFlight: Tally = { messages: 0, bytes: 0, peakMessages: 0, peakBytes: 0 };
  const react = options.react ?? keep;
  const deliver = (delivery: Delivery): void => {
    const entry = record(delivery, inFlight);
    received.push(entry);
    try {
      const settlement = react(entry);
      if (settlement !== undefined) entry.settle(settlement);
    } catch (error) {
      lab.violated(error);
    }
  };
  const topics = options.topics.map((topic) => (typeof topic === "string" ? { topic } : topic));
  const request: SubscriptionRequest = { group: options.group, topics };
  const joining = process.transport.subscribe(request, deliver);
  const subscription = await lab.within(joining, `group ${options.group} to be joined`, {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
  return { subscription, request, received, inFlight };
}

/** Acknowledge deliveries that are not settled yet. */
export function ackAll(received: readonly Received[]): void {
  for (const entry of received) if (!entry.settled) entry.settle(ACK);
}

/** Give back what is not settled and draining, as core does. */
export function releaseDraining(received: readonly Received[]): void {
  for (const entry of received)
    if (!entry.settled && entry.delivery.draining.aborted) entry.settle(RELEASE);
}

interface Tally {
  messages: number;
  bytes: number;
  peakMessages: number;
  peakBytes: number;
}

function record(delivery: Delivery, tally: Tally): Received {
  const sizeBytes = delivery.sizeBytes;
  tally.messages++;
  tally.bytes += sizeBytes;
  tally.peakMessages = Math.max(tally.peakMessages, tally.messages);
  tally.peakBytes = Math.max(tally.peakBytes, tally.bytes);
  return new ReceivedDelivery(delivery, () => {
    tally.messages--;
    tally.bytes -= sizeBytes;
  });
}

class ReceivedDelivery implements Received {
  readonly delivery: Delivery;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly attempt: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: HeaderList;
  readonly sizeBytes: number;
  readonly atMs: number = systemClock.monotonicMs();
  settled = false;
  readonly #onSettled: () => void;

  constructor(delivery: Delivery, onSettled: () => void) {
    this.delivery = delivery;
    this.topic = delivery.topic;
    this.partition = delivery.partition;
    this.offset = delivery.offset;
    this.attempt = delivery.attempt;
    this.timestampMs = delivery.timestampMs;
    this.key = copyOf(delivery.key);
    this.value = copyOf(delivery.value);
    this.headers = delivery.headers.map(([name, value]) => [name, new Uint8Array(value)] as const);
    this.sizeBytes = delivery.sizeBytes;
    this.#onSettled = onSettled;
  }

  settle(settlement: Settlement): void {
    this.settled = true;
    this.#onSettled();
    this.delivery.settle(settlement);
  }
}

function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  // Not `slice`: on a Buffer that would be a view again.
  return bytes === null ? null : new Uint8Array(bytes);
}
