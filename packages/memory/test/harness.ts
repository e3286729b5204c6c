import { setImmediate as nextTurn } from "node:timers/promises";
import { ACK, RELEASE } from "@bus/core";
import type {
  Delivery,
  OutgoingMessage,
  Settlement,
  TopicSubscription,
  Transport,
  TransportSubscription,
} from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker, MemoryBrokerOptions, MemoryOptions } from "@bus/memory";
import { manualClock, testHost } from "@bus/testkit";
import type { ManualClock, TestHost } from "@bus/testkit";

/** UTF-8 bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text of UTF-8 bytes. */
export const text = (value: Uint8Array | null): string =>
  new TextDecoder().decode(value ?? undefined);

/** A message with a text as its value. */
export function message(
  topic: string,
  value: string,
  parts: Partial<OutgoingMessage> = {},
): OutgoingMessage {
  return { topic, key: null, value: bytes(value), headers: [], ...parts };
}

/** Numbered messages of one partition. */
export function numbered(
  topic: string,
  count: number,
  parts: Partial<OutgoingMessage> = {},
): readonly OutgoingMessage[] {
  return Array.from({ length: count }, (_, index) =>
    message(topic, String(index), { partition: 0, ...parts }),
  );
}

/** The error of a promise that must reject; listens from now on, so that a later look does not come too late. */
export function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new TypeError("the promise was expected to reject");
    },
    (error: unknown) => error,
  );
}

/** Let everything happen that is due now: promises, deliveries, turns of the event loop. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

/** One client of the broker, connected. */
export interface Client {
  readonly transport: Transport;
  readonly host: TestHost;
  readonly id: string;
}

/** One membership and what it received. */
export interface Member {
  readonly client: Client;
  readonly subscription: TransportSubscription;
  /** Oldest first. */
  readonly received: readonly Delivery[];
  /** Values received, oldest first. */
  readonly values: () => readonly string[];
}

/** What to do with a delivery at once; `undefined` leaves it unsettled. */
export type React = (delivery: Delivery) => Settlement | undefined;

/** Acknowledge at once. */
export const ackAtOnce: React = () => ACK;

/** Leave everything unsettled. */
export const keepAll: React = () => undefined;

/** Release what drains as soon as it does, keep the rest: a handler that never ends but gives up what it has not begun. */
export const releaseWhenDraining: React = (delivery) => {
  delivery.draining.addEventListener("abort", () => delivery.settle(RELEASE), { once: true });
  return undefined;
};

/** A broker under a manual clock, and clients of it. */
export class Harness {
  readonly clock: ManualClock = manualClock({ startMs: 1_000_000 });
  readonly broker: MemoryBroker;

  constructor(options: MemoryBrokerOptions = {}) {
    this.broker = memoryBroker({ partitions: 1, ...options, clock: this.clock });
  }

  async client(options: MemoryOptions = {}): Promise<Client> {
    const host = testHost({ clock: this.clock });
    const configured = memory({ broker: this.broker, ...options });
    const transport = configured.create(host);
    await transport.connect();
    return { transport, host, id: String(configured.options["clientId"]) };
  }

  /** Join a group with a client of its own. */
  async member(
    topics: readonly (string | TopicSubscription)[],
    parts: MemberParts = {},
  ): Promise<Member> {
    return joinWith(await this.client(parts.options), topics, parts);
  }
}

/** How to join. */
export interface MemberParts {
  /** @defaultValue "billing" */
  readonly group?: string;
  /** @defaultValue keepAll */
  readonly react?: React;
  readonly options?: MemoryOptions;
}

/** Join a group with a client that exists. */
export async function joinWith(
  client: Client,
  topics: readonly (string | TopicSubscription)[],
  parts: MemberParts = {},
): Promise<Member> {
  const { group = "billing", react = keepAll } = parts;
  const received: Delivery[] = [];
  const request = {
    group,
    topics: topics.map((topic) => (typeof topic === "string" ? { topic } : topic)),
  };
  const subscription = await client.transport.subscribe(request, (delivery) => {
    received.push(delivery);
    const settlement = react(delivery);
    if (settlement !== undefined) delivery.settle(settlement);
  });
  return { client, subscription, received, values: () => received.map(({ value }) => text(value)) };
}

/** Acknowledge deliveries. */
export function ackAll(deliveries: readonly Delivery[]): void {
  for (const delivery of deliveries) delivery.settle(ACK);
}

/** What a group has committed in a partition of a topic; `undefined` when nothing. */
export function committedIn({ broker }: Harness, topic: string, partition = 0): bigint | undefined {
  return broker
    .committed("billing")
    .find((each) => each.topic === topic && each.partition === partition)?.offset;
}
