import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bytesCodec, createEventBus, defineTopic } from "@bus/core";
import { dlq } from "@bus/dlq";
import { manualClock, until } from "@bus/testkit";
import { expect, test } from "vitest";
import { MessageSource } from "./support/message-source.ts";

const MESSAGES = 10_000;
const VALUE_BYTES = 1_000;
const Orders = defineTopic<Uint8Array>("orders", { codec: bytesCodec() });

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Bytes of the process that are in use: objects of JavaScript, and buffers beside them. */
function usedBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test("10,000 messages that fail at once cost a bounded amount each while they wait, and nothing afterwards", async () => {
  await using failing = await startFailing();
  // The first round pays for what is made once.
  await failing.round();
  const before = failing.usedBytes();
  const rounds = [await failing.round(), await failing.round()];
  const left = failing.usedBytes() - before;
  for (const { waitingBytes, storingBytes } of rounds) {
    // The message itself, its delivery and its place in the wait for the next attempt.
    expect(waitingBytes / MESSAGES).toBeLessThan(VALUE_BYTES + 8_000);
    // The same, and its dead letter: a copy of the message with the story of its failure.
    expect(storingBytes / MESSAGES).toBeLessThan(2 * VALUE_BYTES + 20_000);
  }
  expect(failing.stored).toBe(3 * MESSAGES);
  expect(left).toBeLessThan(2_000_000);
}, 180_000);

async function startFailing() {
  const clock = manualClock();
  const source = new MessageSource();
  let failed = 0;
  const bus = createEventBus({
    group: "billing",
    clock,
    transport: source.transport,
    plugins: [dlq({ retry: { attempts: 2, baseMs: 1_000 } })],
  });
  const down = new Error("down");
  const handler = (): never => {
    failed++;
    throw down;
  };
  await bus.subscribe(Orders, handler, { ordering: "none", concurrency: 64 });
  await bus.start();
  const failures = async (count: number): Promise<void> => {
    for (let step = 0; failed < count && step < 100; step++) {
      await setImmediate();
      clock.advance(200);
    }
    await setImmediate();
    expect(failed).toBe(count);
  };
  const round = async (): Promise<Readonly<Record<"waitingBytes" | "storingBytes", number>>> => {
    const before = usedBytes();
    const acknowledged = source.acknowledged + MESSAGES;
    failed = 0;
    const stores = source.holdStores();
    source.deliver(Orders.name, MESSAGES, VALUE_BYTES);
    await failures(MESSAGES);
    const waitingBytes = usedBytes() - before;
    await failures(2 * MESSAGES);
    const storingBytes = usedBytes() - before;
    stores.go();
    await until(() => source.acknowledged === acknowledged, {
      timeoutMs: 10_000,
      what: "every dead letter",
    });
    await setImmediate();
    return { waitingBytes, storingBytes };
  };
  return {
    round,
    usedBytes,
    get stored() {
      return source.published.get("orders.dlq");
    },
    [Symbol.asyncDispose]: async () => void (await bus.close()),
  };
}
