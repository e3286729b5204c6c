import { BusError, BusTransportError, publishOutcomesOf } from "@bus/core";
import { partitionOf } from "@bus/core/adapter";
import { describe, expect, test } from "vitest";
import { ackAtOnce, bytes, errorOf, Harness, message, numbered, settled } from "./harness.ts";

describe("publishing", () => {
  test("receipts name partition and offset, one per message, in order", async () => {
    const { transport } = await new Harness({ partitions: 2 }).client();
    const receipts = await transport.publish([
      message("orders", "a", { partition: 1 }),
      message("orders", "b", { partition: 0 }),
      message("orders", "c", { partition: 1 }),
    ]);
    expect(receipts).toEqual([
      { topic: "orders", partition: 1, offset: 0n },
      { topic: "orders", partition: 0, offset: 0n },
      { topic: "orders", partition: 1, offset: 1n },
    ]);
  });

  test("a key goes to the partition that Kafka's Java client chooses", async () => {
    const { transport } = await new Harness({ partitions: 16 }).client();
    const keys = Array.from({ length: 200 }, (_, index) => bytes(`order-${index}`));
    const receipts = await transport.publish(keys.map((key) => message("orders", "", { key })));
    expect(receipts.map(({ partition }) => partition)).toEqual(
      keys.map((key) => partitionOf(key, 16)),
    );
  });

  test("messages without a key are spread evenly over the partitions", async () => {
    const harness = new Harness({ partitions: 4 });
    const { transport } = await harness.client();
    for (let i = 0; i < 40; i += 1) await transport.publish([message("orders", "")]);
    expect(harness.broker.describe().partitions.map(({ messages }) => messages)).toEqual([
      10, 10, 10, 10,
    ]);
  });

  test("key, value and headers arrive as the very arrays that were published, headers in order and with duplicates", async () => {
    const harness = new Harness();
    const headers = [
      ["trace", bytes("1")],
      ["tenant", bytes("a")],
      ["trace", bytes("2")],
    ] as const;
    const member = await harness.member(["orders"], { react: ackAtOnce });
    const published = message("orders", "value", { key: bytes("key"), headers, timestampMs: 42 });
    await member.client.transport.publish([published, message("orders", "", { value: null })]);
    await settled();
    const [first, second] = member.received;
    expect([first?.key, first?.value, first?.headers]).toEqual([
      published.key,
      published.value,
      headers,
    ]);
    expect(first?.value).toBe(published.value);
    expect(first?.headers).toBe(headers);
    expect([first?.timestampMs, second?.timestampMs]).toEqual([42, harness.clock.now()]);
    expect([second?.key, second?.value, second?.headers]).toEqual([null, null, []]);
  });

  test("publishing nothing is no error", async () => {
    const { transport } = await new Harness().client();
    expect(await transport.publish([])).toEqual([]);
  });

  test("a message above maxMessageBytes fails alone: its neighbours are stored", async () => {
    const harness = new Harness();
    const { transport } = await harness.client({ maxMessageBytes: 10 });
    const error = await errorOf(
      transport.publish(
        ["small", "much too large", "small"].map((value) => message("orders", value)),
      ),
    );
    expect(BusError.is(error, "BUS_PUBLISH_PARTIAL")).toBe(true);
    expect(publishOutcomesOf(error)).toMatchObject([
      { kind: "stored", receipt: { offset: 0n } },
      {
        kind: "failed",
        error: { code: "BUS_MESSAGE_TOO_LARGE", details: { sizeBytes: 14, maxMessageBytes: 10 } },
      },
      { kind: "stored", receipt: { offset: 1n } },
    ]);
  });

  test("a message of exactly maxMessageBytes is stored", async () => {
    const { transport } = await new Harness().client({ maxMessageBytes: 5 });
    await expect(transport.publish([message("orders", "12345")])).resolves.toHaveLength(1);
    await expect(transport.publish([message("orders", "123456")])).rejects.toMatchObject({
      code: "BUS_MESSAGE_TOO_LARGE",
    });
  });

  test.each([-1, 1, 0.5])(
    "partition %d of a topic with one partition is BUS_INVALID_MESSAGE",
    async (partition) => {
      const { transport } = await new Harness().client();
      const publishing = transport.publish([message("orders", "", { partition })]);
      await expect(publishing).rejects.toMatchObject({
        code: "BUS_INVALID_MESSAGE",
        details: { partition },
      });
    },
  );
});

describe("unknown topics", () => {
  test("are created by the first publish or subscribe, with the client's or else the broker's number of partitions", async () => {
    const harness = new Harness({ partitions: 3 });
    const { transport } = await harness.client();
    await transport.publish([message("orders", "")]);
    await harness.member(["invoices"], { options: { partitions: 2 } });
    const descriptions = await transport.capabilities.topics?.describe([
      "orders",
      "invoices",
      "missing",
    ]);
    expect(descriptions?.map(({ topic, partitions }) => [topic, partitions])).toEqual([
      ["orders", 3],
      ["invoices", 2],
    ]);
  });

  test("are BUS_TOPIC_MISSING for publish and subscribe when autoCreateTopics is never", async () => {
    const { transport } = await new Harness().client({ autoCreateTopics: "never" });
    await expect(transport.publish([message("orders", "")])).rejects.toMatchObject({
      code: "BUS_TOPIC_MISSING",
    });
    const joining = transport.subscribe(
      { group: "billing", topics: [{ topic: "orders" }] },
      () => {},
    );
    await expect(joining).rejects.toMatchObject({ code: "BUS_TOPIC_MISSING" });
  });
});

describe("failPublish", () => {
  test("fails so many messages and stores none of them", async () => {
    const harness = new Harness();
    const { transport } = await harness.client();
    harness.broker.faults.failPublish({ times: 2 });
    const error = await errorOf(transport.publish(numbered("orders", 3)));
    expect(publishOutcomesOf(error)?.map(({ kind }) => kind)).toEqual([
      "failed",
      "failed",
      "stored",
    ]);
    expect(harness.broker.describe().partitions[0]).toMatchObject({ messages: 1 });
    await expect(transport.publish(numbered("orders", 3))).resolves.toHaveLength(3);
  });

  test("fails the messages that a predicate chooses, with the given error, until it is removed", async () => {
    const harness = new Harness();
    const { transport } = await harness.client();
    const error = new BusTransportError("BUS_BROKER_REJECTED", "not today");
    const remove = harness.broker.faults.failPublish({
      predicate: ({ topic }) => topic === "orders",
      error,
    });
    await expect(transport.publish([message("orders", "")])).rejects.toBe(error);
    await expect(transport.publish([message("invoices", "")])).resolves.toHaveLength(1);
    remove();
    await expect(transport.publish([message("orders", "")])).resolves.toHaveLength(1);
  });

  test("with stored the outcome is unknown: the publish fails and the message is there", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    harness.broker.faults.failPublish({ times: 1, stored: true });
    const publishing = member.client.transport.publish([message("orders", "stored all the same")]);
    await expect(publishing).rejects.toMatchObject({
      code: "BUS_OUTCOME_UNKNOWN",
      retryable: true,
    });
    await settled();
    expect(member.values()).toEqual(["stored all the same"]);
  });
});

test("a partition keeps only retentionMessages, and a consumer that comes too late is told what it missed", async () => {
  const harness = new Harness({ retentionMessages: 3 });
  const member = await harness.member(["orders"], { react: ackAtOnce });
  member.subscription.pause({ topic: "orders", partition: 0 });
  await member.client.transport.publish(numbered("orders", 10));
  expect(harness.broker.describe().partitions).toEqual([
    { topic: "orders", partition: 0, low: 7n, high: 10n, messages: 3 },
  ]);
  member.subscription.resume({ topic: "orders", partition: 0 });
  await settled();
  expect(member.values()).toEqual(["7", "8", "9"]);
  expect(member.client.host.events).toContainEqual({
    kind: "warning",
    message: "messages were removed before they were read",
    details: { group: "billing", topic: "orders", partition: 0, from: 0, to: 7 },
  });
});
