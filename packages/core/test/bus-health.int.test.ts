import { describe, expect, it } from "vitest";
import { BUS_METRICS, createEventBus } from "@bus/core";
import type { BusHealth, ConfiguredTransport } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import { codeOf, Orders } from "./bus-lab.ts";

const publishOf = ({ components }: BusHealth) => components["publish"];

/** A bus that proves by publishing that its broker stores messages, and the time of the test. */
async function probing() {
  const clock = manualClock();
  const broker = memoryBroker({ partitions: 1 });
  const transport = memory({ broker });
  const publishProbe = { topic: "probes", timeoutMs: 2_000, intervalMs: 10_000 };
  const bus = createEventBus({ group: "billing", clock, transport, publishProbe });
  await bus.start();
  const stored = async (): Promise<bigint> =>
    (await bus.lag({ topics: ["probes"] })).partitions.reduce((sum, { high }) => sum + high, 0n);
  const close = () => Promise.all([bus.close({ drainTimeoutMs: 0 }), clock.advanceAsync(5_000)]);
  return { bus, broker, clock, transport, stored, close };
}

describe("the publish probe", () => {
  it("publishes when health is looked at, at most once an interval, and is healthy once acknowledged", async () => {
    const { bus, clock, stored, close } = await probing();
    const [one, other] = await Promise.all([bus.health(), bus.health()]);
    expect([publishOf(one), publishOf(other)]).toMatchObject([
      { status: "healthy" },
      { status: "healthy" },
    ]);
    expect(await stored()).toBe(1n);
    await clock.advanceAsync(9_000);
    await bus.health();
    expect(await stored()).toBe(1n);
    await clock.advanceAsync(2_000);
    await bus.health();
    expect(await stored()).toBe(2n);
    const published = bus.instruments.read().filter(({ spec }) => spec === BUS_METRICS.published);
    expect(published).toEqual([]);
    await close();
  });

  it("is unhealthy while a publish is refused, and healthy with the first that is not", async () => {
    const { bus, broker, close } = await probing();
    broker.faults.failPublish({ times: 1 });
    const refused = await bus.health();
    expect(refused.overall).toBe("unhealthy");
    expect(publishOf(refused)?.detail).toMatch(/^a probe could not be published to probes: /);
    expect(publishOf(await bus.health())).toMatchObject({ status: "healthy" });
    await close();
  });

  it("answers within its timeout when no acknowledgement comes, and publishes no second one meanwhile", async () => {
    const { bus, broker, clock, transport, stored, close } = await probing();
    const restore = broker.faults.dropConnection(transport);
    const looking = bus.health();
    await clock.advanceAsync(2_000);
    expect(publishOf(await looking)).toMatchObject({
      status: "unhealthy",
      detail: "a probe published to probes has not been acknowledged for 2000 ms",
    });
    await clock.advanceAsync(1_000);
    expect(publishOf(await bus.health())).toMatchObject({
      detail: "a probe published to probes has not been acknowledged for 3000 ms",
    });
    restore();
    await clock.advanceAsync(1_000);
    expect(await stored()).toBe(1n);
    expect(publishOf(await bus.health())).toMatchObject({ status: "healthy" });
    await close();
  });

  it("needs a topic, and knows its options", async () => {
    const withProbe = (publishProbe: object) => () =>
      createEventBus({ transport: memory(), publishProbe: publishProbe as never }); // wrong on purpose
    expect(await codeOf(withProbe({}))).toBe("BUS_CONFIG");
    expect(await codeOf(withProbe({ topic: "probes", timeoutMs: 0 }))).toBe("BUS_CONFIG");
    expect(withProbe({ topic: "probes", timeout: 1 })).toThrowError(
      /createEventBus\.publishProbe\.timeout.*timeoutMs/,
    );
  });
});

describe("a rebalance", () => {
  it("that takes longer than its limit degrades, until it is over", async () => {
    const clock = manualClock();
    const broker = memoryBroker({ partitions: 2 });
    const bus = createEventBus({
      group: "billing",
      clock,
      transport: memory({ broker, rebalanceDrainMs: 30_000 }),
      rebalancingAfterMs: 5_000,
    });
    const gate = Promise.withResolvers<void>();
    await bus.subscribe(Orders, () => gate.promise);
    await bus.start();
    await bus.publishMany(Orders, [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }]);
    await clock.advanceAsync(100);
    const second = createEventBus({ group: "billing", clock, transport: memory({ broker }) });
    await second.subscribe(Orders, () => gate.promise);
    const joining = second.start();
    const subscriptions = async () => (await bus.health()).components["subscriptions"];
    await clock.advanceAsync(4_000);
    expect(await subscriptions()).toMatchObject({ status: "healthy" });
    await clock.advanceAsync(2_000);
    expect(await subscriptions()).toMatchObject({
      status: "degraded",
      detail: "group billing has been rebalancing for 6.0 s",
    });
    gate.resolve();
    await clock.advanceAsync(1_000);
    await joining;
    expect(await subscriptions()).toMatchObject({ status: "healthy" });
    await Promise.all([second.close(), bus.close(), clock.advanceAsync(1_000)]);
  });
});

describe("the limit of a blocked event loop", () => {
  const limitOf = (transport: ConfiguredTransport, loopBlockedAfterMs?: number): unknown =>
    createEventBus({
      transport,
      ...(loopBlockedAfterMs === undefined ? {} : { loopBlockedAfterMs }),
    }).describe()["loopBlockedAfterMs"];
  const memberFor = (sessionTimeoutMs: number): ConfiguredTransport => {
    const inner = memory();
    return {
      ...inner,
      create: (host) => {
        const transport = inner.create(host);
        const capabilities = { ...transport.capabilities, membership: { sessionTimeoutMs } };
        return {
          name: transport.name,
          capabilities,
          connect: () => transport.connect(),
          publish: (messages) => transport.publish(messages),
          subscribe: (request, deliver) => transport.subscribe(request, deliver),
          close: (options) => transport.close(options),
        };
      },
    };
  };

  it("is a third of the transport's session timeout, ten seconds where it has none, or what the user says", () => {
    expect(limitOf(memory())).toBe(10_000);
    expect(limitOf(memberFor(12_000))).toBe(4_000);
    expect(limitOf(memberFor(30))).toBe(100);
    expect(limitOf(memberFor(12_000), 500)).toBe(500);
  });
});
