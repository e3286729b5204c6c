import { describe, expect, test } from "vitest";
import { memory } from "@bus/memory";
import { testHost } from "@bus/testkit";
import {
  ackAll,
  ackAtOnce,
  committedIn,
  errorOf,
  Harness,
  joinWith,
  message,
  numbered,
  settled,
} from "./harness.ts";

describe("before connect", () => {
  test("nothing works, and the error says what to do", async () => {
    const transport = memory().create(testHost());
    const expected = {
      code: "BUS_CONNECT",
      message: "the memory transport is not connected: call connect() first",
    };
    await expect(transport.publish([message("orders", "")])).rejects.toMatchObject(expected);
    await expect(
      transport.subscribe({ group: "billing", topics: [] }, () => {}),
    ).rejects.toMatchObject(expected);
    await expect(
      transport.capabilities.ping?.ping(new AbortController().signal),
    ).rejects.toMatchObject(expected);
    expect(transport.capabilities.health?.report()).toMatchObject({
      transport: { status: "unhealthy" },
    });
  });
});

describe("a cut connection", () => {
  test("lets publishes wait, in order, until it is restored", async () => {
    const harness = new Harness();
    const { transport, id } = await harness.client();
    const restore = harness.broker.faults.dropConnection(id);
    const publishing = ["a", "b", "c"].map((value) =>
      transport.publish([message("orders", value)]),
    );
    await settled();
    expect(harness.broker.describe().partitions).toEqual([]);
    restore();
    const receipts = await Promise.all(publishing);
    expect(receipts.flat().map(({ offset }) => offset)).toEqual([0n, 1n, 2n]);
    expect(harness.clock.pending).toBe(0);
  });

  test("for longer than publishTimeoutMs fails the publishes: nothing is stored", async () => {
    const harness = new Harness();
    const { transport, id } = await harness.client({ publishTimeoutMs: 100 });
    const restore = harness.broker.faults.dropConnection(id);
    const failure = errorOf(transport.publish([message("orders", "a")]));
    await harness.clock.advanceAsync(100);
    expect(await failure).toMatchObject({ code: "BUS_PUBLISH_FAILED" });
    restore();
    await settled();
    expect(harness.broker.describe().partitions).toEqual([]);
  });

  test("delivers nothing new, commits what settled once it is back, and goes on where it was", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { options: { sessionTimeoutMs: 1000 } });
    const publisher = await harness.client();
    await publisher.transport.publish(numbered("orders", 2));
    await settled();
    const restore = harness.broker.faults.dropConnection(member.client.id);
    ackAll(member.received);
    await publisher.transport.publish(numbered("orders", 1));
    await harness.clock.advanceAsync(900);
    expect([member.received.length, committedIn(harness, "orders")]).toEqual([2, undefined]);
    restore();
    await settled();
    expect([member.received.length, committedIn(harness, "orders")]).toEqual([3, 2n]);
    await harness.clock.advanceAsync(5000);
    expect(harness.broker.describe().groups[0]?.members).toHaveLength(1);
    const kinds = member.client.host.events.map(({ kind }) => kind);
    expect(kinds).toEqual([
      "connected",
      "assigned",
      "disconnected",
      "reconnecting",
      "commitFailed",
      "connected",
      "committed",
    ]);
  });

  test("for longer than the session timeout expels the member: its partitions move, its results are void, and it joins again", async () => {
    const harness = new Harness({ partitions: 2 });
    const options = { sessionTimeoutMs: 1000 };
    const first = await harness.member(["orders"], { options });
    const second = await harness.member(["orders"], { options, react: ackAtOnce });
    for (const partition of [0, 1])
      await second.client.transport.publish(numbered("orders", 1, { partition }));
    await settled();
    const restore = harness.broker.faults.dropConnection(first.client.transport);
    await harness.clock.advanceAsync(1000);
    await settled();
    expect(
      first.received.map(({ draining, signal }) => [draining.aborted, signal.aborted]),
    ).toEqual([[true, true]]);
    expect(second.received.map(({ partition }) => partition)).toEqual([1, 0]);
    ackAll(first.received);
    restore();
    await settled();
    expect([first, second].map(({ subscription }) => subscription.partitions().length)).toEqual([
      1, 1,
    ]);
    expect(first.client.host.events).toContainEqual({
      kind: "revoked",
      group: "billing",
      partitions: [{ topic: "orders", partition: 0 }],
      lost: true,
    });
  });

  test("does not stop an update: the topics count once it is back", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    const other = await harness.client();
    await other.transport.capabilities.topics?.create([{ topic: "invoices" }]);
    const restore = harness.broker.faults.dropConnection(member.client.id);
    await member.subscription.update([{ topic: "orders" }, { topic: "invoices" }]);
    const [known] = harness.broker.describe().groups[0]?.members ?? [];
    expect(known?.partitions).toEqual([{ topic: "orders", partition: 0 }]);
    restore();
    await settled();
    await member.client.transport.publish(numbered("invoices", 1));
    await settled();
    expect(member.received.map(({ topic }) => topic)).toEqual(["invoices"]);
  });

  test("makes a subscribe wait, and a close ends the wait with BUS_CLOSED", async () => {
    const harness = new Harness();
    const patient = await harness.client();
    const closing = await harness.client();
    const restore = harness.broker.faults.dropConnection(patient.id);
    harness.broker.faults.dropConnection(closing.id);
    const joining = joinWith(patient, ["orders"], { react: ackAtOnce });
    const refusal = errorOf(joinWith(closing, ["orders"]));
    await settled();
    await closing.transport.close({ drainTimeoutMs: 0 });
    expect(await refusal).toMatchObject({ code: "BUS_CLOSED" });
    restore();
    const member = await joining;
    await patient.transport.publish(numbered("orders", 1));
    await settled();
    expect(member.received).toHaveLength(1);
  });

  test("at close: waiting publishes have until the deadline, then they fail; the group expels the member by itself", async () => {
    const harness = new Harness();
    const other = await harness.client();
    const member = await harness.member(["orders"], { options: { sessionTimeoutMs: 1000 } });
    await other.transport.publish(numbered("orders", 1));
    await settled();
    harness.broker.faults.dropConnection(member.client.id);
    const failure = errorOf(member.client.transport.publish(numbered("orders", 1)));
    const closing = member.client.transport.close({ drainTimeoutMs: 200 });
    await harness.clock.advanceAsync(200);
    expect(await closing).toEqual({ abandonedDeliveries: 1 });
    expect(await failure).toMatchObject({ code: "BUS_PUBLISH_FAILED" });
    expect(harness.broker.describe().groups[0]?.members).toHaveLength(1);
    await harness.clock.advanceAsync(800);
    expect([harness.broker.describe().groups[0]?.members, harness.clock.pending]).toEqual([[], 0]);
  });

  test("at the close of the last client of a broker leaves no timer: nobody is left to notice", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { options: { sessionTimeoutMs: 60_000 } });
    harness.broker.faults.dropConnection(member.client.id);
    await member.client.transport.close({ drainTimeoutMs: 0 });
    expect([harness.broker.describe().groups[0]?.members, harness.clock.pending]).toEqual([[], 0]);
  });

  test("and then a crash: waiting publishes fail, and the group waits for its member only once", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { options: { sessionTimeoutMs: 1000 } });
    const restore = harness.broker.faults.dropConnection(member.client.id);
    const failure = errorOf(member.client.transport.publish(numbered("orders", 1)));
    harness.broker.faults.crash(member.client.id);
    expect(await failure).toMatchObject({ code: "BUS_CLOSED" });
    expect(harness.clock.pending).toBe(1);
    restore();
    await harness.clock.advanceAsync(1000);
    expect([harness.broker.describe().groups[0]?.members, harness.clock.pending]).toEqual([[], 0]);
  });

  test("shows in health and ping: degraded, then unhealthy, then healthy again", async () => {
    const harness = new Harness();
    const { transport, id } = await harness.client();
    const { health, ping } = transport.capabilities;
    const signal = new AbortController().signal;
    const state = (): unknown => health?.report()["transport"];
    expect(state()).toEqual({ status: "healthy", detail: "", sinceMs: harness.clock.now() });
    await expect(ping?.ping(signal)).resolves.toBeUndefined();
    const cutAtMs = harness.clock.now();
    const restore = harness.broker.faults.dropConnection(id);
    expect(state()).toEqual({
      status: "degraded",
      detail: "the connection to the broker is cut",
      sinceMs: cutAtMs,
    });
    await expect(ping?.ping(signal)).rejects.toMatchObject({ code: "BUS_TRANSPORT" });
    harness.clock.advance(10_001);
    expect(state()).toMatchObject({ status: "unhealthy", sinceMs: cutAtMs });
    restore();
    expect(state()).toEqual({ status: "healthy", detail: "", sinceMs: harness.clock.now() });
    await transport.close({ drainTimeoutMs: 0 });
    expect(state()).toMatchObject({ status: "unhealthy", detail: "the transport is closed" });
    await expect(ping?.ping(AbortSignal.abort())).rejects.toMatchObject({ code: "BUS_ABORTED" });
  });

  test("refuses connect with BUS_CONNECT", async () => {
    const harness = new Harness();
    const configured = memory({ broker: harness.broker });
    const transport = configured.create(testHost({ clock: harness.clock }));
    const restore = harness.broker.faults.dropConnection(configured);
    await expect(transport.connect()).rejects.toMatchObject({ code: "BUS_CONNECT" });
    restore();
    await expect(transport.connect()).resolves.toBeUndefined();
  });
});

describe("faults", () => {
  test("revoke takes partitions away without a drain; late settlements are void and the messages come again", async () => {
    const harness = new Harness({ partitions: 2 });
    const member = await harness.member(["orders"]);
    for (const partition of [0, 1])
      await member.client.transport.publish(numbered("orders", 2, { partition }));
    await settled();
    const before = [...member.received];
    harness.broker.faults.revoke("billing", member.client.id, [{ topic: "orders", partition: 1 }]);
    expect(before.filter(({ signal }) => signal.aborted).map(({ partition }) => partition)).toEqual(
      [1, 1],
    );
    ackAll(before);
    await settled();
    await harness.clock.advanceAsync(50);
    expect(member.received.slice(4).map(({ partition, offset }) => [partition, offset])).toEqual([
      [1, 0n],
      [1, 1n],
    ]);
    expect([committedIn(harness, "orders", 0), committedIn(harness, "orders", 1)]).toEqual([
      2n,
      undefined,
    ]);
  });

  test("of an unknown client are refused with the names of those that exist", async () => {
    const harness = new Harness();
    await harness.client({ clientId: "orders-1" });
    expect(() => harness.broker.faults.crash("order-1")).toThrow(
      "the broker has no client order-1; it has orders-1",
    );
  });

  test("of an unknown partition are BUS_TOPIC_MISSING", async () => {
    const harness = new Harness();
    await harness.member(["orders"]);
    expect(() => harness.broker.faults.insertGap("orders", 1, 1)).toThrow(
      "topic orders has no partition 1",
    );
    expect(() => harness.broker.faults.compact("missing", 0)).toThrow(
      "topic missing does not exist",
    );
  });
});
