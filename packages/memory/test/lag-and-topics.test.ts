import { describe, expect, test } from "vitest";
import { ackAtOnce, Harness, joinWith, numbered, settled } from "./harness.ts";
import type { Client } from "./harness.ts";

const read = async (
  { transport }: Client,
  topics: readonly string[] = ["orders"],
): Promise<unknown> => transport.capabilities.lag?.read({ group: "billing", topics });

describe("lag", () => {
  test("with nothing committed is everything for earliest and nothing for latest", async () => {
    const harness = new Harness();
    const earliest = await harness.client();
    const latest = await harness.client({ startFrom: "latest" });
    await earliest.transport.publish(numbered("orders", 5));
    const partition = { topic: "orders", partition: 0, committed: undefined, low: 0n, high: 5n };
    expect(await read(earliest)).toEqual({
      partitions: [{ ...partition, lagMessages: 5n }],
      unknown: [],
    });
    expect(await read(latest)).toEqual({
      partitions: [{ ...partition, lagMessages: 0n }],
      unknown: [],
    });
  });

  test("follows the start position that a subscription of this client chose for the topic", async () => {
    const harness = new Harness();
    const client = await harness.client();
    await client.transport.publish(numbered("orders", 5));
    await joinWith(client, [{ topic: "orders", startFrom: "latest", held: true }]);
    expect(await read(client)).toMatchObject({
      partitions: [{ committed: undefined, lagMessages: 0n }],
    });
  });

  test("counts from the committed offset, or from the first that still exists", async () => {
    const harness = new Harness();
    const member = await harness.member(["orders"], { react: ackAtOnce });
    await member.client.transport.publish(numbered("orders", 3));
    await settled();
    await member.client.transport.close({ drainTimeoutMs: 0 });
    const client = await harness.client();
    await client.transport.publish(numbered("orders", 7));
    expect(await read(client)).toMatchObject({
      partitions: [{ committed: 3n, low: 0n, high: 10n, lagMessages: 7n }],
    });
    harness.broker.faults.removeBefore("orders", 0, 6n);
    expect(await read(client)).toMatchObject({
      partitions: [{ committed: 3n, low: 6n, high: 10n, lagMessages: 4n }],
    });
  });

  test("of a missing topic is unknown, spoils no other, and creates nothing", async () => {
    const harness = new Harness();
    const client = await harness.client();
    await client.transport.publish(numbered("orders", 1));
    expect(await read(client, ["missing", "orders"])).toMatchObject({
      partitions: [{ topic: "orders", lagMessages: 1n }],
      unknown: [{ topic: "missing", partition: -1, error: { code: "BUS_TOPIC_MISSING" } }],
    });
    expect(harness.broker.describe().partitions.map(({ topic }) => topic)).toEqual(["orders"]);
  });

  test("over a cut connection is unknown for every topic, never zero", async () => {
    const harness = new Harness();
    const client = await harness.client();
    await client.transport.publish(numbered("orders", 1));
    harness.broker.faults.dropConnection(client.id);
    expect(await read(client)).toMatchObject({
      partitions: [],
      unknown: [{ topic: "orders", error: { code: "BUS_TRANSPORT" } }],
    });
  });

  test("is BUS_ABORTED when its signal has aborted", async () => {
    const { transport } = await new Harness().client();
    const reading = transport.capabilities.lag?.read({
      group: "billing",
      topics: [],
      signal: AbortSignal.abort(),
    });
    await expect(reading).rejects.toMatchObject({ code: "BUS_ABORTED" });
  });

  test("olderThan names partitions with an unconsumed message older than asked, wherever it lies, and no other", async () => {
    const harness = new Harness({ partitions: 4 });
    const { transport } = await harness.client();
    const nowMs = harness.clock.now();
    const ages: Readonly<Record<number, readonly number[]>> = {
      0: [100],
      1: [99, 5000, 1],
      2: [50, 99],
      3: [],
    };
    for (const [partition, agesMs] of Object.entries(ages)) {
      for (const ageMs of agesMs)
        await transport.publish(
          numbered("orders", 1, { partition: Number(partition), timestampMs: nowMs - ageMs }),
        );
    }
    const { lag } = transport.capabilities;
    const { partitions } = (await lag?.read({ group: "billing", topics: ["orders"] })) ?? {
      partitions: [],
    };
    const old = async (ms: number): Promise<unknown> =>
      (await lag?.olderThan(partitions, ms))?.map(({ partition }) => partition);
    expect([await old(99), await old(100), await old(5000), await old(-1)]).toEqual([
      [0, 1],
      [1],
      [],
      [0, 1, 2],
    ]);
  });
});

describe("topics", () => {
  test("are created as asked; existing ones are left as they are and their drift is reported", async () => {
    const { transport } = await new Harness({ partitions: 5 }).client();
    const { topics } = transport.capabilities;
    const asked = {
      topic: "orders",
      partitions: 3,
      replicationFactor: 2,
      config: { "cleanup.policy": "compact" },
    };
    expect(await topics?.create([asked, { topic: "invoices" }])).toEqual([]);
    expect(await topics?.describe(["invoices", "missing", "orders"])).toEqual([
      { topic: "invoices", partitions: 5, replicationFactor: 1, config: {} },
      asked,
    ]);
    const changed = {
      topic: "orders",
      partitions: 6,
      replicationFactor: 2,
      config: { "cleanup.policy": "delete", "retention.ms": "1" },
    };
    expect(await topics?.create([changed, asked])).toEqual([
      { topic: "orders", property: "partitions", expected: "6", actual: "3" },
      { topic: "orders", property: "config.cleanup.policy", expected: "delete", actual: "compact" },
      { topic: "orders", property: "config.retention.ms", expected: "1", actual: "" },
    ]);
    expect(await topics?.describe(["orders"])).toEqual([asked]);
  });

  test.each([0, -1, 1.5])("cannot have %d partitions", async (partitions) => {
    const { transport } = await new Harness().client();
    const creating = transport.capabilities.topics?.create([{ topic: "orders", partitions }]);
    await expect(creating).rejects.toMatchObject({ code: "BUS_BROKER_REJECTED" });
  });

  test("cannot be administered over a cut connection", async () => {
    const harness = new Harness();
    const { transport, id } = await harness.client();
    harness.broker.faults.dropConnection(id);
    for (const administering of [
      transport.capabilities.topics?.create([{ topic: "orders" }]),
      transport.capabilities.topics?.describe(["orders"]),
      transport.capabilities.topics?.delete(["orders"]),
    ]) {
      await expect(administering).rejects.toMatchObject({ code: "BUS_TRANSPORT" });
    }
  });
});
