import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACK } from "@bus/core";
import type { Delivery, OutgoingMessage, Transport, TransactionRunner } from "@bus/core";
import { testHost, until } from "@bus/testkit";
import type { KafkaDriverName } from "../src/index.ts";
import { KafkaLab } from "./kafka-lab.ts";

let lab: KafkaLab;
let names = 0;

beforeAll(async () => {
  lab = await KafkaLab.start();
});

afterAll(() => lab[Symbol.asyncDispose]());

async function newTopic(partitions = 1): Promise<string> {
  names += 1;
  const topic = `transactions-${Date.now()}-${names}`;
  await lab.createTopic(topic, partitions);
  return topic;
}

interface Process {
  readonly transport: Transport;
  readonly transactions: TransactionRunner;
}

async function open(driver: KafkaDriverName, transactionalId: string): Promise<Process> {
  const transport = lab.process({ driver, producer: { transactionalId } }).create(testHost());
  await transport.connect();
  const { transactions } = transport.capabilities;
  if (transactions === undefined) throw new TypeError("there are no transactions");
  return { transport, transactions };
}

const message = (topic: string, text: string, partition = 0): OutgoingMessage => ({
  topic,
  key: null,
  value: Buffer.from(text),
  headers: [],
  partition,
});

interface Reader {
  readonly values: readonly string[];
  readonly deliveries: readonly Delivery[];
  close(): Promise<void>;
}

async function read(
  transport: Transport,
  topic: string,
  how: { group?: string; ack?: "at once" | "never" } = {},
): Promise<Reader> {
  const deliveries: Delivery[] = [];
  const values: string[] = [];
  const group = how.group ?? `${topic}-reader`;
  const subscription = await transport.subscribe({ group, topics: [{ topic }] }, (delivery) => {
    deliveries.push(delivery);
    values.push(Buffer.from(delivery.value ?? []).toString());
    if (how.ack !== "never") delivery.settle(ACK);
  });
  return {
    values,
    deliveries,
    close: async () => void (await subscription.close({ drainTimeoutMs: 0 })),
  };
}

async function committed(
  transport: Transport,
  group: string,
  topic: string,
): Promise<bigint | undefined> {
  const lag = await transport.capabilities.lag?.read({ group, topics: [topic] });
  return lag?.partitions[0]?.committed;
}

describe.each(["kafkajs", "confluent"] as const)("transactions, %s", (driver) => {
  test("what a transaction publishes is seen once it has committed, what an aborted one did never is", async () => {
    const topic = await newTopic(2);
    const { transport, transactions } = await open(driver, `id-${topic}`);
    const reader = await read(transport, topic);
    const receipts = await transactions.run(async (transaction) => {
      const first = await transaction.publish([message(topic, "a"), message(topic, "b", 1)]);
      expect(reader.values).toEqual([]);
      return [...first, ...(await transaction.publish([message(topic, "c")]))];
    });
    expect(receipts.map(({ offset }) => offset)).toEqual([0n, 0n, 1n]);
    const failure = new Error("on purpose");
    const aborted = transactions.run(async (transaction) => {
      await transaction.publish([message(topic, "aborted")]);
      throw failure;
    });
    await expect(aborted).rejects.toBe(failure);
    await transactions.run((transaction) => transaction.publish([message(topic, "d")]));
    await until(() => reader.values.includes("d"), { timeoutMs: 10_000, what: "the last message" });
    expect(reader.values.toSorted()).toEqual(["a", "b", "c", "d"]);
    await reader.close();
    await transport.close({ drainTimeoutMs: 1_000 });
  });

  test("a consumed position becomes the group's with the transaction, and is not taken back by a commit of before", async () => {
    const [input, output] = [await newTopic(), await newTopic()];
    const group = `${input}-group`;
    const { transport, transactions } = await open(driver, `id-${input}`);
    await transport.publish(["1", "2", "3"].map((text) => message(input, text)));
    const reader = await read(transport, input, { group, ack: "never" });
    await until(() => reader.deliveries.length === 3, { timeoutMs: 10_000, what: "3 deliveries" });
    const [first, second] = reader.deliveries;
    if (first === undefined || second === undefined) throw new TypeError("not delivered");
    await expect(
      transactions.run(async (transaction) => transaction.consumed(second)),
    ).rejects.toMatchObject({ code: "BUS_FENCED" });
    await transactions.run(async (transaction) => {
      await transaction.publish([message(output, "done 1")]);
      transaction.consumed(first);
    });
    // The delivery is not settled yet: what the subscription commits by itself still stands before it.
    await until(async () => (await committed(transport, group, input)) === 1n, {
      timeoutMs: 5_000,
      what: "position 1",
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await committed(transport, group, input)).toBe(1n);
    first.settle(ACK);
    const aborted = transactions.run(async (transaction) => {
      transaction.consumed(second);
      throw new Error("on purpose");
    });
    await expect(aborted).rejects.toThrow("on purpose");
    expect(await committed(transport, group, input)).toBe(1n);
    await reader.close();
    const again = await read(transport, input, { group });
    await until(() => again.values.length === 2, {
      timeoutMs: 10_000,
      what: "what was not consumed",
    });
    expect(again.values).toEqual(["2", "3"]);
    await again.close();
    await transport.close({ drainTimeoutMs: 1_000 });
  });

  test("a process that takes the id over fences the one before", async () => {
    const topic = await newTopic();
    const [first, second] = [await open(driver, `id-${topic}`), await open(driver, `id-${topic}`)];
    await first.transactions.run((transaction) => transaction.publish([message(topic, "first")]));
    await second.transactions.run((transaction) => transaction.publish([message(topic, "second")]));
    const fenced = first.transactions.run((transaction) =>
      transaction.publish([message(topic, "too late")]),
    );
    await expect(fenced).rejects.toMatchObject({ code: "BUS_FENCED" });
    const reader = await read(second.transport, topic);
    await until(() => reader.values.length === 2, { timeoutMs: 10_000, what: "two messages" });
    expect(reader.values).toEqual(["first", "second"]);
    await reader.close();
    await Promise.all(
      [first, second].map(({ transport }) => transport.close({ drainTimeoutMs: 1_000 })),
    );
  });

  test("transactions of one process run one after the other, each within tens of milliseconds", async () => {
    const topic = await newTopic();
    const { transport, transactions } = await open(driver, `id-${topic}`);
    await transactions.run((transaction) => transaction.publish([message(topic, "warm")]));
    const startedMs = performance.now();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        transactions.run((transaction) => transaction.publish([message(topic, String(index))])),
      ),
    );
    const eachMs = (performance.now() - startedMs) / 20;
    process.stdout.write(`  ${Math.round(eachMs)} ms per transaction\n`);
    const reader = await read(transport, topic);
    await until(() => reader.values.length === 21, { timeoutMs: 10_000, what: "every message" });
    expect(reader.values.slice(1)).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    await reader.close();
    await transport.close({ drainTimeoutMs: 1_000 });
  });
});
