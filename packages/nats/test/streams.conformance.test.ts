import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventBus, createPluginRegistry } from "@bus/core";
import type {
  ConfiguredTransport,
  Delivery,
  OutgoingMessage,
  Transport,
  TransportEvent,
} from "@bus/core";
import { testHost, until } from "@bus/testkit";
import type { TestHost } from "@bus/testkit";
import { startNats } from "@bus/tools-brokers";
import type { NatsCluster } from "@bus/tools-brokers";
import { connect } from "nats";
import type { JetStreamManager, NatsConnection } from "nats";
import { nats } from "../src/index.ts";
import type { NatsOptions } from "../src/index.ts";

let cluster: NatsCluster;
let connection: NatsConnection;
let manager: JetStreamManager;
let names = 0;

beforeAll(async () => {
  cluster = await startNats();
  connection = await connect({ servers: cluster.url });
  manager = await connection.jetstreamManager();
});

afterAll(async () => {
  await connection.close();
  await cluster.close();
});

/** A stream of the test's own. */
function streamName(): string {
  names += 1;
  return `stream-${names}`;
}

function configured(options: Omit<NatsOptions, "servers">): ConfiguredTransport {
  return nats({ ...options, servers: [cluster.url] });
}

async function opened(
  options: Omit<NatsOptions, "servers">,
): Promise<{ transport: Transport; host: TestHost } & AsyncDisposable> {
  const host = testHost();
  const transport = configured(options).create(host);
  await transport.connect();
  return {
    transport,
    host,
    [Symbol.asyncDispose]: async () => void (await transport.close({ drainTimeoutMs: 1_000 })),
  };
}

function message(topic: string, value = "v"): OutgoingMessage {
  return { topic, key: null, value: Buffer.from(value), headers: [] };
}

function warnings({ events }: { readonly events: readonly TransportEvent[] }): readonly string[] {
  return events.filter((event) => event.kind === "warning").map(({ message: text }) => text);
}

test.each(["a b", "a.*", "a.>", "", ".a", "a..b", "$JS.a"])(
  "the topic %j is refused with its name, before anything is sent",
  async (topic) => {
    await using open = await opened({ stream: { name: streamName(), ensure: "create" } });
    const refusal = { code: "BUS_CONFIG", details: { path: "topic", value: topic } };
    await expect(open.transport.publish([message(topic)])).rejects.toMatchObject(refusal);
    await expect(
      open.transport.subscribe({ group: "g", topics: [{ topic }] }, () => undefined),
    ).rejects.toMatchObject(refusal);
  },
);

test("a missing stream is told with its name, and a topic that it does not take", async () => {
  const name = streamName();
  await using open = await opened({ stream: { name } });
  await expect(open.transport.publish([message("orders")])).rejects.toMatchObject({
    code: "BUS_TOPIC_MISSING",
    details: { stream: name },
  });
  await manager.streams.add({ name, subjects: [`${name}-other`] });
  await expect(open.transport.publish([message("orders")])).rejects.toMatchObject({
    code: "BUS_TOPIC_MISSING",
    details: { topic: "orders" },
  });
});

test("a stream that is not as asked for is used as it is, and each difference is told", async () => {
  const name = streamName();
  await manager.streams.add({ name, subjects: [`${name}.>`], max_msgs: 7 });
  await using open = await opened({ stream: { name, maxMessages: 9 } });
  expect(warnings(open.host).join("\n")).toMatch(/stream\.max_msgs is 7, expected 9/u);
  expect(warnings(open.host).join("\n")).toMatch(/stream\.discard is old, expected new/u);
  await open.transport.publish([message(`${name}.orders`)]);
  expect((await manager.streams.info(name)).config.max_msgs).toBe(7);
});

test("a topic of other partitions than configured keeps its own, and the difference is told", async () => {
  const stream = { name: streamName(), ensure: "create" } as const;
  const topic = `${stream.name}-orders`;
  await using first = await opened({ stream, partitions: 3 });
  await first.transport.publish([message(topic)]);
  await using second = await opened({ stream, partitions: 8 });
  const receipts = await second.transport.publish(Array.from({ length: 64 }, () => message(topic)));
  expect(Math.max(...receipts.map(({ partition }) => partition))).toBe(2);
  expect(warnings(second.host)).toContain(`${topic}: partitions is 3, expected 8`);
  await using without = await opened({ stream });
  await expect(without.transport.publish([message(topic)])).rejects.toMatchObject({
    code: "BUS_TOPIC_DRIFT",
    details: { path: "partitions", expected: "none", actual: "3" },
  });
});

test("dead letters of a topic do not come to those who read the topic", async () => {
  const stream = { name: streamName(), ensure: "create" } as const;
  const topic = `${stream.name}-orders`;
  await using open = await opened({ stream, partitions: 4 });
  const seen: string[] = [];
  const take = (delivery: Delivery): void => {
    seen.push(`${delivery.topic}: ${Buffer.from(delivery.value ?? []).toString()}`);
    delivery.settle({ kind: "ack" });
  };
  await open.transport.publish([
    message(topic, "good"),
    { ...message(`${topic}.dlq`, "dead"), partition: 3 },
  ]);
  const subscription = await open.transport.subscribe({ group: "g", topics: [{ topic }] }, take);
  const { lag } = open.transport.capabilities;
  await until(
    async () =>
      (await lag?.read({ group: "g", topics: [topic] }))?.partitions.every(
        ({ lagMessages }) => lagMessages === 0n,
      ) ?? false,
    {
      timeoutMs: 10_000,
      what: "the topic to be read",
    },
  );
  expect(seen).toEqual([`${topic}: good`]);
  await subscription.close({ drainTimeoutMs: 1_000 });
});

test("a full stream refuses messages at once; those stored before stay", async () => {
  const stream = { name: streamName(), ensure: "create", maxMessages: 3 } as const;
  const topic = `${stream.name}-orders`;
  await using open = await opened({ stream });
  for (let count = 0; count < 3; count += 1) await open.transport.publish([message(topic)]);
  const startedMs = performance.now();
  await expect(open.transport.publish([message(topic)])).rejects.toMatchObject({
    code: "BUS_PUBLISH_FAILED",
  });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect((await manager.streams.info(stream.name)).state.messages).toBe(3);
});

test("a message that the server gives up is told and degrades health", async () => {
  const stream = { name: streamName(), ensure: "create" } as const;
  const topic = `${stream.name}-orders`;
  await using open = await opened({ stream, maxDeliver: 2, ackWaitMs: 1_000 });
  const subscription = await open.transport.subscribe(
    { group: "g", topics: [{ topic }] },
    (delivery) => delivery.settle({ kind: "nack", redeliverAfterMs: 50 }),
  );
  await open.transport.publish([message(topic)]);
  await until(() => warnings(open.host).some((text) => text.includes("gave up")), {
    timeoutMs: 10_000,
    what: "the server's notice",
  });
  expect(open.transport.capabilities.health?.report()["nats.group.g"]).toMatchObject({
    status: "degraded",
  });
  await subscription.close({ drainTimeoutMs: 1_000 });
});

test("a ready connection is used, and left open", async () => {
  const own = await connect({ servers: cluster.url });
  const stream = { name: streamName(), ensure: "create" } as const;
  const transport = nats({ connection: own, stream }).create(testHost());
  await transport.connect();
  const [receipt] = await transport.publish([message(`${stream.name}-orders`)]);
  expect(receipt?.offset).toBe(1n);
  await transport.close({ drainTimeoutMs: 1_000 });
  expect(own.isClosed()).toBe(false);
  await own.close();
});

test("a configuration names it as code does", async () => {
  const registry = createPluginRegistry([nats]);
  const name = streamName();
  const transport = {
    nats: { servers: [cluster.url], partitions: 2, stream: { name, ensure: "create" } },
  };
  await using bus = registry.createEventBus({ group: "billing", transport });
  const seen = Promise.withResolvers<string>();
  await bus.subscribe(`${name}-orders`, ({ key }) => seen.resolve(key ?? ""));
  await bus.start();
  await bus.publish(`${name}-orders`, Buffer.from("v"), { key: "o-1" });
  expect(await seen.promise).toBe("o-1");
});

test("core mode passes messages on to one member of a group, says that it is at most once, and counts what is lost", async () => {
  const host = testHost();
  const transport = configured({ mode: "core", maxAckPending: 5 }).create(host);
  await transport.connect();
  expect(warnings(host)[0]).toMatch(/at most once/u);
  expect(transport.capabilities).toMatchObject({ ordering: "none" });
  expect(transport.capabilities.lag).toBeUndefined();
  const seen: Delivery[] = [];
  const first = await transport.subscribe(
    { group: "g", topics: [{ topic: "core.orders" }] },
    (delivery) => void seen.push(delivery),
  );
  const other: Delivery[] = [];
  const second = await transport.subscribe(
    { group: "h", topics: [{ topic: "core.orders" }] },
    (delivery) => {
      other.push(delivery);
      delivery.settle({ kind: "ack" });
    },
  );
  await transport.publish(
    Array.from({ length: 20 }, (_, index) => ({
      ...message("core.orders", String(index)),
      key: Buffer.from("k"),
    })),
  );
  await until(() => seen.length === 5 && other.length === 20, {
    timeoutMs: 10_000,
    what: "the messages",
    state: () => [seen.length, other.length],
  });
  expect(Buffer.from(seen[0]?.key ?? []).toString()).toBe("k");
  for (const delivery of seen) delivery.settle({ kind: "ack" });
  await first.close({ drainTimeoutMs: 1_000 });
  await second.close({ drainTimeoutMs: 1_000 });
  expect(warnings(host).join("\n")).toMatch(/15 messages of group g were not handled/u);
  await transport.close({ drainTimeoutMs: 1_000 });
});

test("core mode serves a bus", async () => {
  await using bus = createEventBus({ group: "g", transport: configured({ mode: "core" }) });
  const seen = Promise.withResolvers<Uint8Array | null>();
  await bus.subscribe("core.bus", ({ value }) => seen.resolve(value), { ordering: "none" });
  await bus.start();
  await bus.publish("core.bus", Buffer.from("v"));
  expect(Buffer.from((await seen.promise) ?? []).toString()).toBe("v");
});
