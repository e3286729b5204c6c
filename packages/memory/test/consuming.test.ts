import { ACK, RELEASE } from "@bus/core";
import { describe, expect, test } from "vitest";
import {
  ackAll,
  ackAtOnce,
  bytes,
  committedIn,
  Harness,
  keepAll,
  message,
  numbered,
  settled,
} from "./harness.ts";

const ORDERS = { topic: "orders", partition: 0 };

describe("delivery", () => {
  test("comes in offset order, the next without waiting for the last to settle", async () => {
    const member = await new Harness().member(["orders"], { react: keepAll });
    await member.client.transport.publish(numbered("orders", 50));
    await settled();
    expect(member.received.map(({ offset }) => offset)).toEqual(
      Array.from({ length: 50 }, (_, index) => BigInt(index)),
    );
  });

  test("a second settlement throws, also when the first came after the subscription was closed", async () => {
    const member = await new Harness().member(["orders"]);
    await member.client.transport.publish(numbered("orders", 2));
    await settled();
    const [first, second] = member.received;
    first?.settle(ACK);
    expect(() => first?.settle(ACK)).toThrow("delivery of orders/0 at offset 0 is settled already");
    await member.subscription.close({ drainTimeoutMs: 0 });
    second?.settle(RELEASE);
    expect(() => second?.settle(RELEASE)).toThrow("settled already");
  });

  test("a receiver that throws gets the message again, and the other partitions go on", async () => {
    const harness = new Harness({ partitions: 2 });
    let failures = 0;
    const react = ({ partition }: { readonly partition: number }): typeof ACK => {
      if (partition === 0 && failures++ === 0) throw new Error("a defect of the receiver");
      return ACK;
    };
    const member = await harness.member(["orders"], { react });
    await member.client.transport.publish([
      ...numbered("orders", 2),
      ...numbered("orders", 2, { partition: 1 }),
    ]);
    await settled();
    await harness.clock.advanceAsync(100);
    await settled();
    expect([committedIn(harness, "orders", 0), committedIn(harness, "orders", 1)]).toEqual([
      2n,
      2n,
    ]);
  });

  test("the event loop gets its turns while a flood of messages is handled", async () => {
    const member = await new Harness().member(["orders"], { react: ackAtOnce });
    const flood = numbered("orders", 100_000);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      if (member.received.length < flood.length) setImmediate(count);
    };
    setImmediate(count);
    await member.client.transport.publish(flood);
    while (member.received.length < flood.length) await settled();
    expect(turns).toBeGreaterThan(15);
  });
});

describe("bounds", () => {
  test("delivery stops at maxInFlightMessages and goes on when half of it is settled", async () => {
    const member = await new Harness().member(["orders"], { options: { maxInFlightMessages: 10 } });
    await member.client.transport.publish(numbered("orders", 100));
    await settled();
    expect(member.received).toHaveLength(10);
    ackAll(member.received.slice(0, 4));
    await settled();
    expect(member.received).toHaveLength(10);
    ackAll(member.received.slice(4, 5));
    await settled();
    expect(member.received).toHaveLength(15);
  });

  test("delivery stops at maxInFlightBytes, and a larger message comes alone", async () => {
    const member = await new Harness().member(["orders"], { options: { maxInFlightBytes: 100 } });
    const sizes = [40, 40, 40, 150, 10];
    await member.client.transport.publish(sizes.map((size) => message("orders", "x".repeat(size))));
    const open = (): readonly number[] =>
      member.received.slice(acked).map(({ sizeBytes }) => sizeBytes);
    let acked = 0;
    const rounds: (readonly number[])[] = [];
    while (acked < sizes.length) {
      await settled();
      rounds.push(open());
      ackAll(member.received.slice(acked));
      acked = member.received.length;
    }
    expect(rounds).toEqual([[40, 40], [40], [150], [10]]);
  });

  test("a partition whose messages do not settle leaves room for the others", async () => {
    const harness = new Harness({ partitions: 3 });
    const react = ({ partition }: { readonly partition: number }): typeof ACK | undefined =>
      partition === 0 ? undefined : ACK;
    const member = await harness.member(["orders"], {
      react,
      options: { maxInFlightMessages: 20 },
    });
    for (const partition of [0, 1, 2])
      await member.client.transport.publish(numbered("orders", 200, { partition }));
    await settled();
    const counts = [0, 1, 2].map(
      (wanted) => member.received.filter(({ partition }) => partition === wanted).length,
    );
    expect(counts).toEqual([10, 200, 200]);
  });

  test("a partition pauses when maxUncommittedMessages have settled behind an unsettled one, says so, and goes on after", async () => {
    const harness = new Harness();
    const react = ({ offset }: { readonly offset: bigint }): typeof ACK | undefined =>
      offset === 0n ? undefined : ACK;
    const member = await harness.member(["orders"], {
      react,
      options: { maxUncommittedMessages: 20 },
    });
    await member.client.transport.publish(numbered("orders", 100));
    await settled();
    expect(member.received).toHaveLength(21);
    expect(member.subscription.partitions()[0]?.pausedBy).toEqual(["uncommitted"]);
    expect(member.client.host.events).toContainEqual({
      kind: "warning",
      message: "too many settled messages wait behind an unsettled one",
      details: { group: "billing", topic: "orders", partition: 0, offset: 0 },
    });
    member.received[0]?.settle(ACK);
    await settled();
    expect(member.received).toHaveLength(100);
    expect(member.subscription.partitions()[0]?.pausedBy).toEqual([]);
  });
});

describe("pause", () => {
  test("stops new deliveries and redeliveries of its partition until resume; made deliveries stay valid", async () => {
    const harness = new Harness({ partitions: 2 });
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 2));
    await settled();
    member.subscription.pause(ORDERS);
    member.subscription.pause(ORDERS);
    member.received[0]?.settle({ kind: "nack", redeliverAfterMs: 10 });
    member.received[1]?.settle(ACK);
    await member.client.transport.publish([
      ...numbered("orders", 1),
      ...numbered("orders", 1, { partition: 1 }),
    ]);
    await harness.clock.advanceAsync(1000);
    await settled();
    expect(member.received.map(({ partition }) => partition)).toEqual([0, 0, 1]);
    expect(member.subscription.partitions()[0]?.pausedBy).toEqual(["scheduler"]);
    member.subscription.resume(ORDERS);
    await settled();
    expect(member.received.slice(3).map(({ offset }) => offset)).toEqual([0n, 2n]);
  });

  test("of a partition that is not owned is ignored", async () => {
    const member = await new Harness().member(["orders"], { react: ackAtOnce });
    member.subscription.pause({ topic: "orders", partition: 7 });
    member.subscription.resume({ topic: "invoices", partition: 0 });
    await member.client.transport.publish(numbered("orders", 1));
    await settled();
    expect(member.received).toHaveLength(1);
  });

  test("inside deliver takes effect at once", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], {
      react: () => {
        if (member.received.length === 3) member.subscription.pause(ORDERS);
        return ACK;
      },
    });
    await member.client.transport.publish(numbered("orders", 10));
    await settled();
    expect(member.received).toHaveLength(3);
  });
});

describe("gaps", () => {
  test("offsets used up by markers are skipped, and a partition that ends in them is drained", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    await member.client.transport.publish(numbered("orders", 1));
    harness.broker.faults.insertGap("orders", 0, 3);
    await member.client.transport.publish(numbered("orders", 1));
    harness.broker.faults.insertGap("orders", 0, 2);
    await settled();
    await harness.clock.advanceAsync(50);
    expect(member.received.map(({ offset }) => offset)).toEqual([0n, 4n]);
    expect(committedIn(harness, "orders")).toBe(7n);
  });

  test("compaction keeps the last message of each key, those without a key, and every offset", async () => {
    const harness = new Harness();
    const { transport } = await harness.client();
    const keys = ["a", "b", null, "a", null, "c", "b"];
    await transport.publish(
      keys.map((key, index) =>
        message("orders", String(index), { key: key === null ? null : bytes(key) }),
      ),
    );
    harness.broker.faults.compact("orders", 0);
    const member = await harness.member(["orders"], { react: ackAtOnce });
    await settled();
    expect(member.received.map(({ offset }) => offset)).toEqual([2n, 3n, 4n, 5n, 6n]);
  });

  test("compaction and retention while a partition is read lose nothing that still exists and repeat nothing", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { options: { maxInFlightMessages: 4 } });
    await member.client.transport.publish(
      Array.from({ length: 20 }, (_, i) =>
        message("orders", String(i), { key: bytes(`k${i % 5}`) }),
      ),
    );
    await settled();
    harness.broker.faults.compact("orders", 0);
    harness.broker.faults.removeBefore("orders", 0, 17n);
    ackAll(member.received);
    await settled();
    expect(member.values()).toEqual(["0", "1", "2", "3", "17", "18", "19"]);
  });

  test("compaction inside deliver does not confuse the reader", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], {
      react: () => {
        if (member.received.length === 3) harness.broker.faults.compact("orders", 0);
        return ACK;
      },
    });
    const messages = Array.from({ length: 40 }, (_, i) =>
      message("orders", String(i), { key: bytes(`k${i % 10}`) }),
    );
    await member.client.transport.publish(messages);
    await settled();
    const kept = Array.from({ length: 10 }, (_, i) => String(30 + i));
    expect(member.values()).toEqual(["0", "1", "2", ...kept]);
  });
});

test("delayDelivery lets every message wait before it is delivered, until it is ended", async () => {
  const harness = new Harness();
  const member = await harness.member(["orders"], { react: ackAtOnce });
  const end = harness.broker.faults.delayDelivery(500);
  await member.client.transport.publish(numbered("orders", 2));
  await harness.clock.advanceAsync(499);
  await settled();
  expect(member.received).toHaveLength(0);
  await harness.clock.advanceAsync(1);
  await settled();
  expect(member.received).toHaveLength(2);
  end();
  await member.client.transport.publish(numbered("orders", 1));
  await settled();
  expect(member.received).toHaveLength(3);
});

test("partitions tells what is in flight, committed and longest unsettled", async () => {
  const harness = new Harness();
  const member = await harness.member(["orders"]);
  await member.client.transport.publish(numbered("orders", 2, { timestampMs: 7 }));
  await settled();
  const deliveredAtMs = harness.clock.now();
  await harness.clock.advanceAsync(1000);
  await member.client.transport.publish(numbered("orders", 1, { timestampMs: 9 }));
  await settled();
  const state = { ...ORDERS, pausedBy: [] };
  expect(member.subscription.partitions()).toEqual([
    {
      ...state,
      inFlightMessages: 3,
      inFlightBytes: 3,
      committedOffset: undefined,
      oldestUnsettled: { offset: 0n, deliveredAtMs, timestampMs: 7 },
    },
  ]);
  ackAll(member.received.slice(0, 2));
  await harness.clock.advanceAsync(50);
  expect(member.subscription.partitions()).toMatchObject([
    {
      inFlightMessages: 1,
      committedOffset: 2n,
      oldestUnsettled: { offset: 2n, deliveredAtMs: deliveredAtMs + 1000, timestampMs: 9 },
    },
  ]);
  ackAll(member.received.slice(2));
  expect(member.subscription.partitions()).toMatchObject([
    { inFlightMessages: 0, inFlightBytes: 0, oldestUnsettled: undefined },
  ]);
});
