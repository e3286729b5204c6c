import { strict as assert } from "node:assert";
import type { OutgoingMessage } from "@bus/core";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consumeThrough } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { ackAll, acknowledge, join, keep } from "./member.ts";
import type { Member } from "./member.ts";
import { bytesOf, publishNumbered } from "./numbered.ts";
import type { TransportOverrides } from "./subject.ts";

const MAX_MESSAGES = 40;
const MAX_BYTES = 100_000;
const VALUE_BYTES = 5_000;

/** What is received and not settled stays within the bound, in count and in bytes. */
export const backPressure: Guarantee = {
  name: "back-pressure bound",
  tests: [
    {
      name: "unsettled messages stop at the bound and go on when some are settled",
      run: (lab) => stopsAtCount(lab, 1),
    },
    { name: "the bound holds over all partitions together", run: (lab) => stopsAtCount(lab, 4) },
    {
      name: "unsettled bytes stop at the bound and go on when some are settled",
      run: stopsAtBytes,
    },
    { name: "a message larger than the whole bound is delivered alone", run: largerThanBound },
    {
      name: "a partition whose messages are not settled does not starve the others",
      needs: ["partitionOrder"],
      run: stuckPartition,
    },
    {
      name: "a paused partition is not delivered until it is resumed, and loses nothing",
      needs: ["partitionOrder"],
      run: pausedPartition,
    },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `the bound holds and frees itself with ${behaviour} handlers`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(2);
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        await publishNumbered(transport, { topic, keys: 20, perKey: 10, sizeBytes: 1_000 }, [
          ledger,
        ]);
        const overrides: TransportOverrides = { maxInFlightMessages: 10, maxInFlightBytes: 8_000 };
        const subscribe = { ordering: "none", concurrency: 64 } as const;
        const consumer = await consumeThrough(lab, {
          group,
          topics: [topic],
          behaviour,
          ledger,
          overrides,
          subscribe,
        });
        await closeBooks(lab, ledger, { group, topics: [topic], order: "free" });
        assert.ok(
          consumer.peakRunning <= 10,
          `${consumer.peakRunning} messages were in flight, the bound is 10`,
        );
      },
    })),
  ],
};

async function stopsAtCount(lab: Lab, partitions: number): Promise<void> {
  const overrides = { maxInFlightMessages: MAX_MESSAGES };
  const member = await joinLoaded(lab, { partitions, overrides, sizeBytes: 10, count: 400 });
  const { inFlight } = member;
  await lab.until(() => inFlight.messages >= MAX_MESSAGES / 2, "the bound to be approached", {
    state: () => inFlight.messages,
  });
  await lab.quiet();
  lab.figures["inFlightMessages"] = inFlight.peakMessages;
  const told = member.subscription.partitions();
  const [messages, bytes] = [
    told.reduce((sum, { inFlightMessages }) => sum + inFlightMessages, 0),
    told.reduce((sum, { inFlightBytes }) => sum + inFlightBytes, 0),
  ];
  assert.deepEqual([messages, bytes], [inFlight.messages, inFlight.bytes], "partitions() counts");
  await drainBounded(lab, member, 400);
  assert.ok(
    inFlight.peakMessages <= MAX_MESSAGES,
    `${inFlight.peakMessages} messages were in flight, the bound is ${MAX_MESSAGES}`,
  );
}

async function stopsAtBytes(lab: Lab): Promise<void> {
  const overrides = { maxInFlightBytes: MAX_BYTES };
  const member = await joinLoaded(lab, {
    partitions: 2,
    overrides,
    sizeBytes: VALUE_BYTES,
    count: 200,
  });
  const { inFlight } = member;
  await lab.until(() => inFlight.bytes >= MAX_BYTES / 2, "the bound to be approached", {
    state: () => inFlight.bytes,
  });
  await lab.quiet();
  lab.figures["inFlightBytes"] = inFlight.peakBytes;
  await drainBounded(lab, member, 200);
  assert.ok(
    inFlight.peakBytes <= MAX_BYTES,
    `${inFlight.peakBytes} bytes were in flight, the bound is ${MAX_BYTES}`,
  );
}

interface Load {
  readonly partitions: number;
  readonly overrides: TransportOverrides;
  readonly sizeBytes: number;
  readonly count: number;
}

async function joinLoaded(
  lab: Lab,
  { partitions, overrides, sizeBytes, count }: Load,
): Promise<Member> {
  const topic = await lab.topic(partitions);
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 20, perKey: count / 20, sizeBytes });
  return join(lab, await lab.process(overrides), {
    group: lab.group(),
    topics: [topic],
    react: keep,
  });
}

/** Settle a few at a time until everything has come. */
async function drainBounded(lab: Lab, member: Member, count: number): Promise<void> {
  while (member.received.length < count || member.inFlight.messages > 0) {
    const before = member.received.length;
    ackAll(member.received);
    await lab.until(
      () => member.received.length > before || before === count,
      "more messages once some are settled",
      {
        state: () => `${member.received.length} of ${count}`,
      },
    );
  }
  assert.equal(member.received.length, count, "every message is delivered once");
}

async function largerThanBound(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const { transport } = await lab.publisher();
  const sizes = [10, 60_000, 10, 10];
  const messages = sizes.map((size) => ({
    topic,
    key: bytesOf("key"),
    value: new Uint8Array(size),
    headers: [],
  }));
  await transport.publish(messages);
  const process = await lab.process({ maxInFlightBytes: 20_000 });
  const member = await join(lab, process, { group: lab.group(), topics: [topic], react: keep });
  await lab.until(() => member.received.length === 1, "the small message", {
    state: () => member.received.length,
  });
  await lab.quiet();
  assert.equal(
    member.received.length,
    1,
    "the large message waits until nothing else is in flight",
  );
  ackAll(member.received);
  await lab.until(() => member.received.length === 2, "the large message, alone", {
    state: () => member.received.length,
  });
  await lab.quiet();
  assert.equal(member.received.length, 2, "nothing comes beside a message that fills the bound");
  ackAll(member.received);
  await lab.until(() => member.received.length === 4, "what follows the large message", {
    state: () => member.received.length,
  });
}

async function stuckPartition(lab: Lab): Promise<void> {
  const topic = await lab.topic(4);
  const { transport } = await lab.publisher();
  const process = await lab.process({ maxInFlightMessages: MAX_MESSAGES });
  const react = ({
    partition,
  }: {
    readonly partition: number;
  }): { readonly kind: "ack" } | undefined => (partition === 0 ? undefined : { kind: "ack" });
  const member = await join(lab, process, { group: lab.group(), topics: [topic], react });
  await transport.publish(dealt(topic, 800, 4));
  const others = (): number => member.received.filter(({ partition }) => partition !== 0).length;
  await lab.until(() => others() === 600, "600 messages of the other partitions", {
    state: others,
  });
  assert.ok(member.inFlight.messages > 0, "nothing of the stuck partition was delivered");
}

async function pausedPartition(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const { transport } = await lab.publisher();
  const member = await join(lab, await lab.process(), {
    group: lab.group(),
    topics: [topic],
    react: acknowledge,
  });
  const got = (wanted: number): number =>
    member.received.filter(({ partition }) => partition === wanted).length;
  await transport.publish(dealt(topic, 20, 2));
  await lab.until(() => member.received.length === 20, "20 messages before the pause", {
    state: () => member.received.length,
  });
  member.subscription.pause({ topic, partition: 0 });
  member.subscription.pause({ topic, partition: 0 });
  await transport.publish(dealt(topic, 40, 2));
  await lab.until(() => got(1) === 30, "20 messages of the other partition", {
    state: () => got(1),
  });
  await lab.quiet();
  assert.equal(got(0), 10, "messages of a paused partition were delivered");
  const state = member.subscription.partitions().find(({ partition }) => partition === 0);
  assert.deepEqual(
    state?.pausedBy,
    ["scheduler"],
    "partitions() tells why a partition is not read",
  );
  member.subscription.resume({ topic, partition: 0 });
  await lab.until(() => got(0) === 30, "what was published during the pause", {
    state: () => got(0),
  });
  assert.equal(member.received.length, 60, "every message is delivered once");
}

/** Messages dealt to the partitions in turn. */
function dealt(topic: string, count: number, partitions: number): readonly OutgoingMessage[] {
  return Array.from({ length: count }, (_, index) => {
    return {
      topic,
      key: null,
      value: bytesOf(String(index)),
      headers: [],
      partition: index % partitions,
    };
  });
}
