import { ACK } from "@bus/core";
import { describe, expect, test } from "vitest";
import { ackAll, ackAtOnce, Harness, numbered, settled } from "./harness.ts";
import type { Member } from "./harness.ts";

/** Topics of what a member received, each once. */
const topicsOf = (member: Member): readonly string[] => [
  ...new Set(member.received.map(({ topic }) => topic)),
];

describe("while a partition drains", () => {
  test("a member has joined only when it owns what it should, whoever else joins", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"]);
    await first.client.transport.publish(numbered("orders", 1, { partition: 1 }));
    await settled();
    let hasJoined = false;
    const joining = harness.member(["orders"]).finally(() => (hasJoined = true));
    await settled();
    const other = harness.member(["payments"]);
    await settled();
    expect(hasJoined).toBe(false);
    ackAll(first.received);
    const second = await joining;
    await other;
    expect(second.subscription.partitions()).toHaveLength(1);
  });

  test("a held topic that is released is not read where it is to be given up", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member([{ topic: "audit", held: true }, "orders"]);
    for (const partition of [0, 1]) {
      await first.client.transport.publish([
        ...numbered("audit", 1, { partition }),
        ...numbered("orders", 1, { partition }),
      ]);
    }
    await settled();
    const joining = harness.member(["audit", "orders"], { react: ackAtOnce });
    await settled();
    await first.subscription.update([{ topic: "audit" }, { topic: "orders" }]);
    await settled();
    const audited = first.received.filter(({ topic }) => topic === "audit");
    ackAll(first.received);
    const second = await joining;
    await settled();
    const auditedBySecond = second.received.filter(({ topic }) => topic === "audit");
    expect([audited.length, auditedBySecond.length]).toEqual([1, 1]);
  });

  test("a held topic that is removed is not read either, whatever else the member is given meanwhile", async () => {
    const harness = new Harness({ partitions: 2 });
    const leaving = await harness.member(["orders"]);
    const member = await harness.member(["orders", "payments", { topic: "audit", held: true }]);
    const { transport } = member.client;
    for (const topic of ["payments", "audit"]) await transport.publish(numbered(topic, 1));
    await settled();
    const updating = member.subscription.update([{ topic: "orders" }]);
    await settled();
    await leaving.subscription.close({ drainTimeoutMs: 0 });
    await settled();
    expect(member.subscription.partitions().filter(({ topic }) => topic === "orders")).toHaveLength(
      2,
    );
    expect(topicsOf(member)).toEqual(["payments"]);
    ackAll(member.received);
    await updating;
    expect(member.subscription.partitions().map(({ topic }) => topic)).toEqual([
      "orders",
      "orders",
    ]);
  });
});

describe("over a cut connection", () => {
  test("a member hears of a hand-over only when the connection is back", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"], { options: { sessionTimeoutMs: 10_000 } });
    await first.client.transport.publish(numbered("orders", 1, { partition: 1 }));
    await settled();
    const restore = harness.broker.faults.dropConnection(first.client.id);
    ackAll(first.received);
    const joining = harness.member(["orders"], { react: ackAtOnce });
    await harness.clock.advanceAsync(5000);
    expect(first.subscription.partitions()).toHaveLength(2);
    restore();
    const second = await joining;
    await settled();
    expect([first, second].map(({ subscription }) => subscription.partitions().length)).toEqual([
      1, 1,
    ]);
    expect(second.received).toHaveLength(0);
  });

  test("a member that closes goes on draining when the connection is back, and keeps its partitions until then", async () => {
    const harness = new Harness();
    const first = await harness.member(["orders"], { options: { sessionTimeoutMs: 10_000 } });
    await first.client.transport.publish(numbered("orders", 2));
    await settled();
    const joining = harness.member(["orders"], { react: ackAtOnce });
    const closing = first.subscription.close({ drainTimeoutMs: 1000 });
    const restore = harness.broker.faults.dropConnection(first.client.id);
    await harness.clock.advanceAsync(500);
    restore();
    await settled();
    const second = await joining;
    expect(second.received).toHaveLength(0);
    first.received[0]?.settle(ACK);
    await harness.clock.advanceAsync(500);
    await closing;
    await settled();
    expect(second.received.map(({ offset }) => offset)).toEqual([1n]);
  });

  test("a member that closes does not join again when it was expelled in the meantime", async () => {
    const harness = new Harness();
    const first = await harness.member(["orders"], { options: { sessionTimeoutMs: 1000 } });
    await first.client.transport.publish(numbered("orders", 1));
    await settled();
    const closing = first.subscription.close({ drainTimeoutMs: 60_000 });
    const restore = harness.broker.faults.dropConnection(first.client.id);
    const second = await harness.member(["orders"]);
    await harness.clock.advanceAsync(1000);
    restore();
    await settled();
    const [only, ...others] = harness.broker.describe().groups[0]?.members ?? [];
    expect([only?.partitions.length, others, second.received.length]).toEqual([1, [], 1]);
    await closing;
  });
});

describe("a member that closes or has crashed", () => {
  test("reads nothing that its group gives it in the meantime", async () => {
    const harness = new Harness({ partitions: 3 });
    const members = [await harness.member(["orders"]), await harness.member(["orders"])];
    const [closing, crashed] = members;
    const leaving = await harness.member(["orders"]);
    const { transport } = leaving.client;
    for (const partition of [0, 1, 2])
      await transport.publish(numbered("orders", 1, { partition }));
    await settled();
    const closed = closing?.subscription.close({ drainTimeoutMs: 10_000 });
    if (crashed !== undefined) harness.broker.faults.crash(crashed.client.id);
    await leaving.subscription.close({ drainTimeoutMs: 0 });
    await settled();
    expect(members.map(({ received }) => received.length)).toEqual([1, 1]);
    ackAll(closing?.received ?? []);
    await closed;
  });
});

test("a topic that is released over a cut connection is read once the connection is back", async () => {
  const harness = new Harness();
  const publisher = await harness.client();
  const member = await harness.member([{ topic: "orders", held: true }], { react: ackAtOnce });
  await publisher.transport.publish(numbered("orders", 2));
  const restore = harness.broker.faults.dropConnection(member.client.id);
  await member.subscription.update([{ topic: "orders" }]);
  await publisher.transport.publish(numbered("orders", 1));
  await settled();
  expect(member.received).toHaveLength(0);
  restore();
  await settled();
  expect(member.received).toHaveLength(3);
});
