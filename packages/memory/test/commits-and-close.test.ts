import { ACK } from "@bus/core";
import { describe, expect, test } from "vitest";
import { ackAll, ackAtOnce, committedIn, Harness, joinWith, numbered, settled } from "./harness.ts";

describe("commits", () => {
  test("are coalesced: one for everything that settled within commitIntervalMs", async () => {
    const harness = new Harness({ partitions: 3 });
    const member = await harness.member(["orders"], { react: ackAtOnce });
    for (const partition of [0, 1, 2])
      await member.client.transport.publish(numbered("orders", 100, { partition }));
    await settled();
    await harness.clock.advanceAsync(49);
    expect(harness.broker.committed("billing")).toEqual([]);
    await harness.clock.advanceAsync(1);
    expect(harness.broker.committed("billing").map(({ offset }) => offset)).toEqual([
      100n,
      100n,
      100n,
    ]);
    expect(member.client.host.events.filter(({ kind }) => kind === "committed")).toEqual([
      { kind: "committed", group: "billing", durationMs: 0, partitions: 3 },
    ]);
    await harness.clock.advanceAsync(1000);
    expect([
      member.client.host.events.filter(({ kind }) => kind === "committed").length,
      harness.clock.pending,
    ]).toEqual([1, 0]);
  });

  test("cover only the contiguous prefix of what has settled", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 5));
    await settled();
    const commitAfter = async (...indexes: readonly number[]): Promise<bigint | undefined> => {
      for (const index of indexes) member.received[index]?.settle(ACK);
      await harness.clock.advanceAsync(50);
      return committedIn(harness, "orders");
    };
    expect([
      await commitAfter(1, 2),
      await commitAfter(0),
      await commitAfter(4),
      await commitAfter(3),
    ]).toEqual([undefined, 3n, 3n, 5n]);
  });

  test("that a crash prevented are repeated for the next owner, after the session timeout", async () => {
    const harness = new Harness();
    const options = { sessionTimeoutMs: 2000 };
    const first = await harness.member(["orders"], { react: ackAtOnce, options });
    await first.client.transport.publish(numbered("orders", 3));
    await settled();
    await harness.clock.advanceAsync(50);
    await first.client.transport.publish(numbered("orders", 2));
    await settled();
    harness.broker.faults.crash(first.client.id);
    const client = await harness.client();
    const joining = joinWith(client, ["orders"], { react: ackAtOnce });
    await harness.clock.advanceAsync(1999);
    expect(harness.broker.describe().groups[0]?.members).toHaveLength(2);
    await harness.clock.advanceAsync(1);
    const second = await joining;
    await settled();
    expect([first.received.length, second.received.map(({ offset }) => offset)]).toEqual([
      5,
      [3n, 4n],
    ]);
  });
});

describe("a crashed client", () => {
  test("receives, publishes, commits and settles nothing any more; its signals abort", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    const { client } = member;
    await client.transport.publish(numbered("orders", 2));
    await settled();
    harness.broker.faults.crash(client.transport);
    expect(
      member.received.every(({ draining, signal }) => draining.aborted && signal.aborted),
    ).toBe(true);
    ackAll(member.received);
    await harness.clock.advanceAsync(5000);
    expect(committedIn(harness, "orders")).toBeUndefined();
    await expect(client.transport.publish(numbered("orders", 1))).rejects.toMatchObject({
      code: "BUS_CLOSED",
    });
    await expect(client.transport.close({ drainTimeoutMs: 100 })).resolves.toEqual({
      abandonedDeliveries: 2,
    });
    expect(harness.clock.pending).toBe(0);
  });
});

test("a crash leaves no timer of its client, only the broker's wait for it", async () => {
  const harness = new Harness();
  const member = await harness.member(["orders"], { options: { sessionTimeoutMs: 1000 } });
  await member.client.transport.publish(numbered("orders", 3));
  await settled();
  const [acked, nacked] = member.received;
  acked?.settle(ACK);
  nacked?.settle({ kind: "nack", redeliverAfterMs: 5000 });
  expect(harness.clock.pending).toBe(2);
  harness.broker.faults.crash(member.client.id);
  expect(harness.clock.pending).toBe(1);
  await harness.clock.advanceAsync(1000);
  expect(harness.clock.pending).toBe(0);
});

describe("close", () => {
  test("drains, commits, leaves and counts what had not ended; later settlements are ignored", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 4));
    await settled();
    const closing = member.client.transport.close({ drainTimeoutMs: 500 });
    await settled();
    expect(
      member.received.map(({ draining, signal }) => [draining.aborted, signal.aborted]),
    ).toEqual([1, 2, 3, 4].map(() => [true, false]));
    ackAll(member.received.slice(0, 2));
    await harness.clock.advanceAsync(500);
    expect(await closing).toEqual({ abandonedDeliveries: 2 });
    ackAll(member.received.slice(2));
    expect(member.received.every(({ signal }) => signal.aborted)).toBe(true);
    expect(committedIn(harness, "orders")).toBe(2n);
    expect(harness.broker.describe()).toMatchObject({
      clients: [],
      groups: [{ group: "billing", members: [] }],
    });
    expect(harness.clock.pending).toBe(0);
  });

  test("returns at once when everything has settled", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    await member.client.transport.publish(numbered("orders", 10));
    await settled();
    await expect(member.client.transport.close({ drainTimeoutMs: 60_000 })).resolves.toEqual({
      abandonedDeliveries: 0,
    });
    expect([committedIn(harness, "orders"), harness.clock.pending]).toEqual([10n, 0]);
  });

  test("leaves no timer of messages that wait for their redelivery or were delayed", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 2));
    await settled();
    for (const delivery of member.received)
      delivery.settle({ kind: "nack", redeliverAfterMs: 1000 });
    harness.broker.faults.delayDelivery(1000);
    await member.client.transport.publish(numbered("orders", 1));
    expect(harness.clock.pending).toBeGreaterThan(0);
    await member.client.transport.close({ drainTimeoutMs: 60_000 });
    expect(harness.clock.pending).toBe(0);
  });

  test("is idempotent, also at the same time and for a transport that never connected", async () => {
    const harness = new Harness();
    const { transport } = await harness.client();
    const closing = [
      transport.close({ drainTimeoutMs: 1 }),
      transport.close({ drainTimeoutMs: 9 }),
    ];
    expect(await Promise.all(closing)).toEqual([
      { abandonedDeliveries: 0 },
      { abandonedDeliveries: 0 },
    ]);
    await expect(transport.connect()).rejects.toMatchObject({ code: "BUS_CLOSED" });
    await expect(transport.publish([])).rejects.toMatchObject({ code: "BUS_CLOSED" });
  });

  test("while a hand-over drains ends both", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"], { options: { rebalanceDrainMs: 60_000 } });
    for (const partition of [0, 1])
      await first.client.transport.publish(numbered("orders", 1, { partition }));
    await settled();
    const joining = harness.member(["orders"]);
    await settled();
    const closing = first.client.transport.close({ drainTimeoutMs: 100 });
    await harness.clock.advanceAsync(100);
    expect(await closing).toEqual({ abandonedDeliveries: 2 });
    const second = await joining;
    await settled();
    expect(second.received).toHaveLength(2);
    await second.client.transport.close({ drainTimeoutMs: 0 });
    expect(harness.clock.pending).toBe(0);
  });
});
