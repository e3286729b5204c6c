import { strict as assert } from "node:assert";
import type { HeaderList, OutgoingMessage, PublishReceipt } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consumeThrough } from "./consumer.ts";
import type { BytesMessage } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import type { Received } from "./member.ts";
import { bytesOf, entryOf } from "./numbered.ts";

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, index) => index);
const NOT_UTF8 = Uint8Array.of(0xff, 0xfe, 0xc0, 0x80, 0x00);
const LARGE = Uint8Array.from({ length: 900_000 }, (_, index) => (index * 31) % 251);
const EMPTY = new Uint8Array(0);

/** Values that implementations confuse or cut. */
const VALUES: readonly (Uint8Array | null)[] = [
  null,
  EMPTY,
  Uint8Array.of(0),
  EVERY_BYTE,
  NOT_UTF8,
  LARGE,
  EMPTY,
  null,
];

/** Keys that implementations confuse. */
const KEYS: readonly (Uint8Array | null)[] = [
  null,
  EMPTY,
  bytesOf("key"),
  NOT_UTF8,
  EVERY_BYTE,
  bytesOf("k".repeat(300)),
];

/** Lists of headers that lose something when they are kept as a map or as text. */
const HEADERS: readonly HeaderList[] = [
  [],
  [["one", bytesOf("1")]],
  [
    ["same", bytesOf("1")],
    ["same", bytesOf("2")],
    ["same", bytesOf("1")],
  ],
  [
    ["a", bytesOf("1")],
    ["b", bytesOf("2")],
    ["a", bytesOf("3")],
  ],
  [
    ["Case", bytesOf("1")],
    ["case", bytesOf("2")],
    ["CASE", bytesOf("3")],
  ],
  [
    ["10", bytesOf("ten")],
    ["9", bytesOf("nine")],
    ["__proto__", bytesOf("x")],
    ["constructor", bytesOf("y")],
  ],
  [
    ["empty", EMPTY],
    ["binary", NOT_UTF8],
    ["größe", bytesOf("ß")],
    ["bytes", EVERY_BYTE],
  ],
];

/** What is received is what was published. */
export const publishAndReceive: Guarantee = {
  name: "publish and receive",
  tests: [
    {
      name: "values arrive byte for byte: none, empty, binary and 900 kB",
      run: (lab) =>
        roundTrip(
          lab,
          VALUES.map((value) => ({ key: bytesOf("key"), value, headers: [] })),
        ),
    },
    {
      name: "keys arrive byte for byte: none, empty and binary",
      run: (lab) =>
        roundTrip(
          lab,
          KEYS.map((key) => ({ key, value: bytesOf("value"), headers: [] })),
        ),
    },
    {
      name: "headers arrive byte for byte, in their order, duplicates included",
      run: (lab) =>
        roundTrip(
          lab,
          HEADERS.map((headers) => ({ key: null, value: bytesOf("value"), headers })),
        ),
    },
    {
      name: "a receipt names where its message is received, and times are those of the publisher",
      run: receiptsAndTimes,
    },
    {
      name: "messages of one key share a partition, and a chosen partition is used",
      needs: ["partitionOrder"],
      run: partitions,
    },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `${behaviour} handlers see the bytes that were published, on every run`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(2);
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        const messages = Array.from({ length: 40 }, (_, index) => patterned(topic, index));
        await transport.publish(messages);
        for (const message of messages) ledger.published(entryOf(message));
        await consumeThrough(lab, {
          group,
          topics: [topic],
          behaviour,
          ledger,
          handle: checkPattern,
        });
        await closeBooks(lab, ledger, { group, topics: [topic] });
      },
    })),
  ],
};

async function roundTrip(
  lab: Lab,
  messages: readonly Omit<OutgoingMessage, "topic">[],
): Promise<void> {
  const topic = await lab.topic();
  const process = await lab.publisher();
  const member = await join(lab, process, {
    group: lab.group(),
    topics: [topic],
    react: acknowledge,
  });
  const sent = messages.map((message) => ({ ...message, topic }));
  const receipts = await process.transport.publish(sent);
  assert.equal(receipts.length, sent.length, "one receipt a message");
  await receive(lab, member.received, sent.length);
  for (const [index, message] of sent.entries()) {
    const received = receivedAt(member.received, receipts[index]);
    sameBytes(received.key, message.key, `key of message ${index}`);
    sameBytes(received.value, message.value, `value of message ${index}`);
    sameHeaders(received.headers, message.headers, `headers of message ${index}`);
    const least = (message.key?.length ?? 0) + (message.value?.length ?? 0);
    assert.ok(
      received.sizeBytes >= least,
      `sizeBytes of message ${index} is ${received.sizeBytes}, less than key and value`,
    );
  }
}

async function receiptsAndTimes(lab: Lab): Promise<void> {
  const topic = await lab.topic(3);
  const process = await lab.publisher();
  const member = await join(lab, process, {
    group: lab.group(),
    topics: [topic],
    react: acknowledge,
  });
  const beforeMs = systemClock.now();
  const explicitMs = beforeMs - 3_600_000;
  const plain = { topic, key: null, headers: [] };
  const sent: readonly OutgoingMessage[] = [
    ...Array.from({ length: 9 }, (_, index) => ({ ...plain, value: bytesOf(`now ${index}`) })),
    { ...plain, value: bytesOf("then"), timestampMs: explicitMs },
  ];
  const receipts = await process.transport.publish(sent);
  await receive(lab, member.received, sent.length);
  for (const [index, message] of sent.entries()) {
    const received = receivedAt(member.received, receipts[index]);
    sameBytes(received.value, message.value, `the message at the place of receipt ${index}`);
    assert.equal(received.topic, topic);
    assert.equal(received.attempt, 1, "the first delivery is attempt 1");
    const { timestampMs } = received;
    if (message.timestampMs !== undefined)
      assert.equal(timestampMs, explicitMs, "an explicit timestamp is kept");
    else
      assert.ok(
        Math.abs(timestampMs - beforeMs) < 60_000,
        `the timestamp ${timestampMs} is not about now, ${beforeMs}`,
      );
  }
  assert.deepEqual(await process.transport.publish([]), [], "no messages, no receipts");
}

async function partitions(lab: Lab): Promise<void> {
  const topic = await lab.topic(4);
  const { transport } = await lab.publisher();
  const keyed = Array.from({ length: 64 }, (_, index) => ({
    topic,
    key: bytesOf(`key-${index % 16}`),
    value: EMPTY,
    headers: [],
  }));
  const receipts = [
    ...(await transport.publish(keyed.slice(0, 32))),
    ...(await transport.publish(keyed.slice(32))),
  ];
  const used = new Set(receipts.map((receipt) => receipt.partition));
  assert.ok(used.size > 1, `16 keys went to ${used.size} of 4 partitions`);
  for (let key = 0; key < 16; key++) {
    const places = new Set(
      receipts.filter((_, index) => index % 16 === key).map((receipt) => receipt.partition),
    );
    assert.equal(places.size, 1, `key-${key} went to partitions ${[...places].join(", ")}`);
  }
  const chosen = await transport.publish(
    [3, 0, 2].map((partition) => ({
      topic,
      key: bytesOf("key-1"),
      value: EMPTY,
      headers: [],
      partition,
    })),
  );
  assert.deepEqual(
    chosen.map((receipt) => receipt.partition),
    [3, 0, 2],
  );
}

async function receive(lab: Lab, received: readonly Received[], count: number): Promise<void> {
  await lab.until(() => received.length >= count, `${count} messages`, {
    state: () => `${received.length} received`,
  });
  assert.equal(received.length, count, "every message is received once");
}

function receivedAt(received: readonly Received[], receipt: PublishReceipt | undefined): Received {
  assert.ok(receipt !== undefined, "a receipt is missing");
  const place = received.find(
    ({ partition, offset }) => partition === receipt.partition && offset === receipt.offset,
  );
  assert.ok(
    place !== undefined,
    `nothing was received at partition ${receipt.partition}, offset ${receipt.offset}`,
  );
  return place;
}

function sameBytes(actual: Uint8Array | null, expected: Uint8Array | null, what: string): void {
  const same =
    actual === null || expected === null
      ? actual === expected
      : Buffer.compare(actual, expected) === 0;
  assert.ok(same, `${what} is ${show(actual)}, published was ${show(expected)}`);
}

function sameHeaders(actual: HeaderList, expected: HeaderList, what: string): void {
  const text = (headers: HeaderList): string =>
    headers.map(([name, value]) => `${name}=${show(value)}`).join(" ");
  const same =
    actual.length === expected.length &&
    actual.every(([name, value], index) => {
      const [expectedName, expectedValue] = expected[index] ?? [];
      return (
        name === expectedName &&
        expectedValue !== undefined &&
        Buffer.compare(value, expectedValue) === 0
      );
    });
  assert.ok(same, `${what} are [${text(actual)}], published were [${text(expected)}]`);
}

function show(bytes: Uint8Array | null): string {
  if (bytes === null) return "none";
  return `${bytes.length} bytes ${Buffer.from(bytes.subarray(0, 16)).toString("hex")}`;
}

/** A message whose value and headers follow from its number, of a different size each. */
function patterned(topic: string, index: number): OutgoingMessage {
  const text = `${Math.floor(index / 4)} ${"#".repeat(index * 40)}`;
  return {
    topic,
    key: bytesOf(`key-${index % 4}`),
    value: bytesOf(text),
    headers: headersFor(index, text),
  };
}

function headersFor(index: number, text: string): HeaderList {
  return [
    ["index", bytesOf(String(index))],
    ["length", bytesOf(String(text.length))],
    ["index", NOT_UTF8],
  ];
}

function checkPattern(message: BytesMessage): void {
  const entry = entryOf({ topic: message.topic, key: message.keyBytes, value: message.value });
  const index = entry.sequence * 4 + Number(entry.key.slice("key-".length));
  const expected = patterned(message.topic, index);
  sameBytes(message.keyBytes, expected.key, `key of message ${index}`);
  sameBytes(message.value, expected.value, `value of message ${index}`);
  sameHeaders(message.headers, expected.headers, `headers of message ${index}`);
}
