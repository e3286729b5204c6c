import { ACK } from "@bus/core";
import type { TransportEvent } from "@bus/core";
import { describe, expect, test } from "vitest";
import {
  ackAll,
  ackAtOnce,
  committedIn,
  Harness,
  joinWith,
  numbered,
  releaseWhenDraining,
  settled,
} from "./harness.ts";
import type { Client, Member } from "./harness.ts";

/** Partitions that a member owns, as numbers. */
const ownedBy = (member: Member): readonly number[] =>
  member.subscription.partitions().map(({ partition }) => partition);

/** Kinds of the events of a client about ownership, oldest first. */
const ownershipEvents = ({ host }: Client): readonly TransportEvent["kind"][] =>
  host.events
    .map(({ kind }) => kind)
    .filter((kind) => ["rebalancing", "assigned", "revoked"].includes(kind));

describe("assignment", () => {
  test("members share partitions evenly, and only as many move as must", async () => {
    const harness = new Harness({ partitions: 6 });
    const first = await harness.member(["orders"]);
    expect(ownedBy(first)).toHaveLength(6);
    const second = await harness.member(["orders"]);
    expect([ownedBy(first).length, ownedBy(second).length]).toEqual([3, 3]);
    const kept = [...ownedBy(first), ...ownedBy(second)];
    const third = await harness.member(["orders"]);
    expect([first, second, third].map((member) => ownedBy(member).length)).toEqual([2, 2, 2]);
    const stayed = [...ownedBy(first), ...ownedBy(second)].filter((partition) =>
      kept.includes(partition),
    );
    expect(stayed).toHaveLength(4);
    await second.subscription.close({ drainTimeoutMs: 0 });
    expect([ownedBy(first).length, ownedBy(third).length]).toEqual([3, 3]);
  });

  test("a topic goes only to members that subscribed it", async () => {
    const harness = new Harness({ partitions: 2 });
    const both = await harness.member(["orders", "invoices"]);
    const one = await harness.member(["invoices"]);
    const topicsOf = (member: Member): readonly string[] =>
      member.subscription.partitions().map(({ topic }) => topic);
    expect([topicsOf(both), topicsOf(one)]).toEqual([
      ["orders", "orders"],
      ["invoices", "invoices"],
    ]);
  });

  test("groups do not share: each receives everything", async () => {
    const harness = new Harness();
    const billing = await harness.member(["orders"], { react: ackAtOnce });
    const audit = await harness.member(["orders"], { react: ackAtOnce, group: "audit" });
    await billing.client.transport.publish(numbered("orders", 3));
    await settled();
    expect([billing.values(), audit.values()]).toEqual([
      ["0", "1", "2"],
      ["0", "1", "2"],
    ]);
  });
});

describe("hand-over", () => {
  test("drains first, aborts after the drain budget, and only then the new owner starts at the committed offset", async () => {
    const harness = new Harness({ partitions: 2 });
    const options = { rebalanceDrainMs: 1000 };
    const first = await harness.member(["orders"], { options });
    for (const partition of [0, 1])
      await first.client.transport.publish(numbered("orders", 3, { partition }));
    await settled();
    const moving = (): Member["received"] =>
      first.received.filter(({ partition }) => partition === 1);
    moving()[0]?.settle(ACK);
    const client = await harness.client(options);
    let hasJoined = false;
    const joining = joinWith(client, ["orders"]).finally(() => (hasJoined = true));
    await settled();
    expect(hasJoined).toBe(false);
    expect(moving().map(({ draining, signal }) => [draining.aborted, signal.aborted])).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ]);
    moving()[1]?.settle(ACK);
    await harness.clock.advanceAsync(999);
    expect(committedIn(harness, "orders", 1)).toBe(2n);
    expect(moving()[2]?.signal.aborted).toBe(false);
    await harness.clock.advanceAsync(1);
    const second = await joining;
    await settled();
    expect(moving()[2]?.signal.aborted).toBe(true);
    expect(
      second.received.map(({ partition, offset, attempt }) => [partition, offset, attempt]),
    ).toEqual([[1, 2n, 1]]);
    const staying = first.received.filter(({ partition }) => partition === 0);
    expect(staying.some(({ draining }) => draining.aborted)).toBe(false);
  });

  test("ends as soon as everything has settled, and repeats nothing", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"]);
    await first.client.transport.publish(numbered("orders", 4, { partition: 1 }));
    await settled();
    const joining = harness.member(["orders"]);
    await settled();
    ackAll(first.received);
    const second = await joining;
    await settled();
    expect([ownedBy(first), ownedBy(second), second.received.length]).toEqual([[0], [1], 0]);
    expect(committedIn(harness, "orders", 1)).toBe(4n);
  });

  test("what is released while draining comes to the new owner as its first attempt, once, in order", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"], { react: releaseWhenDraining });
    await first.client.transport.publish(numbered("orders", 5, { partition: 1 }));
    await settled();
    const second = await harness.member(["orders"]);
    await settled();
    expect(second.received.map(({ offset, attempt }) => [offset, attempt])).toEqual(
      [0n, 1n, 2n, 3n, 4n].map((offset) => [offset, 1]),
    );
    expect(first.received).toHaveLength(5);
  });

  test("a message that waits for its redelivery does not hold it up", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"]);
    await first.client.transport.publish(numbered("orders", 1, { partition: 1 }));
    await settled();
    first.received[0]?.settle({ kind: "nack", redeliverAfterMs: 60_000 });
    const second = await harness.member(["orders"]);
    await settled();
    expect(second.received.map(({ attempt }) => attempt)).toEqual([1]);
    await harness.clock.advanceAsync(120_000);
    await settled();
    expect(first.received).toHaveLength(1);
  });

  test("a settlement after it is accepted, ignored and not committed", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"], { options: { rebalanceDrainMs: 0 } });
    await first.client.transport.publish(numbered("orders", 2, { partition: 1 }));
    await settled();
    const second = await harness.member(["orders"]);
    await settled();
    ackAll(first.received);
    await harness.clock.advanceAsync(1000);
    expect(committedIn(harness, "orders", 1)).toBeUndefined();
    expect(second.received).toHaveLength(2);
    expect(first.client.host.events.at(-2)).toEqual({
      kind: "revoked",
      group: "billing",
      partitions: [{ topic: "orders", partition: 1 }],
      lost: false,
    });
  });

  test("partitions that stay keep their tracker: what settles after the rebalance counts, nothing comes again", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"]);
    await first.client.transport.publish(numbered("orders", 4));
    await settled();
    ackAll(first.received.slice(2));
    await harness.member(["orders"]);
    ackAll(first.received.slice(0, 2));
    await harness.clock.advanceAsync(50);
    expect([first.received.length, committedIn(harness, "orders")]).toEqual([4, 4n]);
  });
});

describe("pause over a rebalance", () => {
  test("survives when the partition stays, and ends with its ownership", async () => {
    const harness = new Harness({ partitions: 2 });
    const first = await harness.member(["orders"], { react: ackAtOnce });
    for (const partition of [0, 1]) first.subscription.pause({ topic: "orders", partition });
    const second = await harness.member(["orders"], { react: ackAtOnce });
    await second.subscription.close({ drainTimeoutMs: 0 });
    for (const partition of [0, 1])
      await first.client.transport.publish(numbered("orders", 1, { partition }));
    await settled();
    expect(first.received.map(({ partition }) => partition)).toEqual([1]);
  });
});

describe("update", () => {
  test("adds and removes topics in one membership change; removed ones are drained and committed first", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"]);
    await member.client.transport.publish([...numbered("orders", 2), ...numbered("invoices", 1)]);
    await settled();
    const updating = member.subscription.update([{ topic: "invoices" }]);
    await settled();
    expect(member.received.map(({ topic, draining }) => [topic, draining.aborted])).toEqual([
      ["orders", true],
      ["orders", true],
    ]);
    ackAll(member.received);
    await updating;
    await settled();
    expect(committedIn(harness, "orders")).toBe(2n);
    expect(member.received.slice(2).map(({ topic }) => topic)).toEqual(["invoices"]);
    expect(ownershipEvents(member.client)).toEqual([
      "assigned",
      "revoked",
      "rebalancing",
      "assigned",
    ]);
  });

  test("a held topic is owned, not read and not committed; released it is read from where it was when it was assigned", async () => {
    const harness = new Harness();
    const member = await harness.member([{ topic: "orders", held: true, startFrom: "latest" }], {
      react: ackAtOnce,
    });
    await member.client.transport.publish(numbered("orders", 3));
    await harness.clock.advanceAsync(1000);
    expect(member.subscription.partitions()).toEqual([
      {
        topic: "orders",
        partition: 0,
        inFlightMessages: 0,
        inFlightBytes: 0,
        committedOffset: undefined,
        oldestUnsettled: undefined,
        pausedBy: ["held"],
      },
    ]);
    expect([member.received.length, committedIn(harness, "orders")]).toEqual([0, undefined]);
    await member.subscription.update([{ topic: "orders", startFrom: "latest" }]);
    await settled();
    expect(member.values()).toEqual(["0", "1", "2"]);
    expect(ownershipEvents(member.client)).toEqual(["assigned"]);
  });

  test("of an unknown topic is refused with autoCreateTopics never, and the subscription stays as it was", async () => {
    const harness = new Harness();
    const { transport } = await harness.client();
    await transport.capabilities.topics?.create([{ topic: "orders" }]);
    const member = await harness.member(["orders"], {
      react: ackAtOnce,
      options: { autoCreateTopics: "never" },
    });
    await expect(member.subscription.update([{ topic: "missing" }])).rejects.toMatchObject({
      code: "BUS_TOPIC_MISSING",
    });
    await transport.publish(numbered("orders", 1));
    await settled();
    expect(member.values()).toEqual(["0"]);
  });

  test("updates at the same time are made one after the other; the last one wins", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    const topics = [["invoices"], ["orders", "invoices"], ["payments"]];
    await Promise.all(
      topics.map((names) => member.subscription.update(names.map((topic) => ({ topic })))),
    );
    expect(member.subscription.partitions().map(({ topic }) => topic)).toEqual(["payments"]);
  });

  test("of a closed subscription is BUS_CLOSED", async () => {
    const member = await new Harness().member(["orders"]);
    await member.subscription.close({ drainTimeoutMs: 0 });
    await expect(member.subscription.update([])).rejects.toMatchObject({ code: "BUS_CLOSED" });
  });
});

describe("start positions", () => {
  test("latest is kept for the group from the first moment: a member that dies before its first commit loses nothing", async () => {
    const harness = new Harness();
    const options = { startFrom: "latest", sessionTimeoutMs: 100 } as const;
    const { transport } = await harness.client();
    await transport.publish(numbered("orders", 2));
    const first = await harness.member(["orders"], { options });
    await transport.publish(numbered("orders", 1));
    harness.broker.faults.crash(first.client.id);
    await harness.clock.advanceAsync(100);
    const second = await harness.member(["orders"], { options });
    await settled();
    expect(second.received.map(({ offset }) => offset)).toEqual([2n]);
  });

  test("none without a committed offset is BUS_NO_OFFSET for subscribe and update, and joins nothing", async () => {
    const harness = new Harness();
    const client = await harness.client();
    const topics = [{ topic: "orders", startFrom: "none" }] as const;
    await expect(joinWith(client, topics)).rejects.toMatchObject({
      code: "BUS_NO_OFFSET",
      details: { group: "billing", topic: "orders" },
    });
    expect(harness.broker.describe().groups).toEqual([{ group: "billing", members: [] }]);
    const member = await harness.member(["invoices"]);
    await expect(member.subscription.update(topics)).rejects.toMatchObject({
      code: "BUS_NO_OFFSET",
    });
  });
});

describe("topics that come and go", () => {
  test("a deleted topic is taken away, and read again when it is created anew", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    const { transport } = member.client;
    await transport.publish(numbered("orders", 2));
    await settled();
    await transport.capabilities.topics?.delete(["orders", "missing"]);
    expect(member.subscription.partitions()).toEqual([]);
    expect(member.received.every(({ signal }) => signal.aborted)).toBe(true);
    await transport.publish(numbered("orders", 1));
    await settled();
    expect(member.received.map(({ offset }) => offset)).toEqual([0n, 1n, 0n]);
  });
});
