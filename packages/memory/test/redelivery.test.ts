import { ACK, RELEASE } from "@bus/core";
import { describe, expect, test } from "vitest";
import { ackAll, committedIn, Harness, numbered, settled } from "./harness.ts";

const ORDERS = { topic: "orders", partition: 0 };

describe("nack", () => {
  test("brings the message again after the delay, not before, with its attempt one higher, while the others go on", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 3));
    await settled();
    const [first, ...others] = member.received;
    first?.settle({ kind: "nack", redeliverAfterMs: 1000 });
    ackAll(others);
    await harness.clock.advanceAsync(999);
    await settled();
    expect([member.received.length, committedIn(harness, "orders")]).toEqual([3, undefined]);
    await harness.clock.advanceAsync(1);
    await settled();
    const again = member.received[3];
    expect([again?.offset, again?.attempt]).toEqual([0n, 2]);
    again?.settle(ACK);
    await harness.clock.advanceAsync(50);
    expect(committedIn(harness, "orders")).toBe(3n);
  });

  test("brings messages with different delays each at its own time", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 5));
    await settled();
    const delays = [300, 100, 0, 100, 200];
    for (const [index, delivery] of member.received.entries()) {
      delivery.settle({ kind: "nack", redeliverAfterMs: delays[index] ?? 0 });
    }
    const cameAt: (readonly [ms: number, offset: bigint])[] = [];
    for (let ms = 0, seen = 5; ms <= 300; ms += 50) {
      await settled();
      for (; seen < member.received.length; seen += 1)
        cameAt.push([ms, member.received[seen]?.offset ?? -1n]);
      await harness.clock.advanceAsync(50);
    }
    expect(cameAt).toEqual([
      [0, 2n],
      [100, 1n],
      [100, 3n],
      [200, 4n],
      [300, 0n],
    ]);
  });

  test.each([0, -5, Number.NaN])(
    "with a delay of %d brings the message again at once",
    async (redeliverAfterMs) => {
      const member = await new Harness().member(["orders"]);
      await member.client.transport.publish(numbered("orders", 1));
      await settled();
      member.received[0]?.settle({ kind: "nack", redeliverAfterMs });
      await settled();
      expect(member.received.map(({ attempt }) => attempt)).toEqual([1, 2]);
    },
  );

  test("with a delay beyond what a timer can carry is not early", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 1));
    await settled();
    const fiftyDaysMs = 50 * 24 * 3_600_000;
    member.received[0]?.settle({ kind: "nack", redeliverAfterMs: fiftyDaysMs });
    await harness.clock.advanceAsync(fiftyDaysMs - 1);
    await settled();
    expect(member.received).toHaveLength(1);
    await harness.clock.advanceAsync(1);
    await settled();
    expect(member.received).toHaveLength(2);
  });

  test("keeps the message's place in the in-flight bound, so that failures cannot pile up", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { options: { maxInFlightMessages: 10 } });
    await member.client.transport.publish(numbered("orders", 100));
    await settled();
    for (const delivery of member.received)
      delivery.settle({ kind: "nack", redeliverAfterMs: 1000 });
    await settled();
    expect(member.received).toHaveLength(10);
    expect(member.subscription.partitions()[0]).toMatchObject({
      inFlightMessages: 10,
      pausedBy: ["inFlight"],
    });
  });

  test("while a partition drains is not waited for, and leaves no timer", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 1));
    await settled();
    const [delivery] = member.received;
    delivery?.draining.addEventListener("abort", () => {
      delivery.settle({ kind: "nack", redeliverAfterMs: 60_000 });
    });
    await member.client.transport.close({ drainTimeoutMs: 1000 });
    expect([harness.clock.pending, committedIn(harness, "orders")]).toEqual([0, undefined]);
  });

  test("stops with a pause that comes while redeliveries are under way, and goes on after it", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], {
      react: ({ attempt }) => {
        if (attempt === 1) return { kind: "nack", redeliverAfterMs: 10 };
        if (member.received.length === 23) member.subscription.pause(ORDERS);
        return ACK;
      },
    });
    await member.client.transport.publish(numbered("orders", 20));
    await settled();
    await harness.clock.advanceAsync(1000);
    await settled();
    expect(member.received).toHaveLength(23);
    member.subscription.resume(ORDERS);
    await settled();
    expect(member.received).toHaveLength(40);
  });
});

describe("release", () => {
  test("of a partition that stays brings the message again, as the same attempt, and it was not committed", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish(numbered("orders", 2));
    await settled();
    const [first, second] = member.received;
    second?.settle(ACK);
    first?.settle(RELEASE);
    await harness.clock.advanceAsync(100);
    await settled();
    expect(member.received.map(({ offset, attempt }) => [offset, attempt])).toEqual([
      [0n, 1],
      [1n, 1],
      [0n, 1],
    ]);
    expect(committedIn(harness, "orders")).toBeUndefined();
  });
});
