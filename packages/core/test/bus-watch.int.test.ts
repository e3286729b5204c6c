import { describe, expect, it } from "vitest";
import { BUS_METRICS, createEventBus } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import { Orders } from "./bus-lab.ts";

const never = new Promise<void>(() => undefined);

function gaugeOf(bus: ReturnType<typeof createEventBus>, partition = "0"): number | undefined {
  return bus.instruments
    .read()
    .find(
      ({ spec, labels }) => spec === BUS_METRICS.partitionStalled && labels.partition === partition,
    )?.value;
}

describe("a partition", () => {
  it("whose deep queue moves on is not stalled, however old its oldest delivery is", async () => {
    const clock = manualClock();
    const bus = createEventBus({ group: "billing", clock, transport: memory({ partitions: 1 }) });
    await bus.subscribe(Orders, () => new Promise((resolve) => clock.schedule(resolve, 1_000)));
    await bus.start();
    await bus.publishMany(
      Orders,
      Array.from({ length: 100 }, () => ({ id: 1 })),
    );
    await clock.advanceAsync(80_500);
    const partition = bus.inspect().groups[0]?.partitions[0];
    expect(clock.now() - (partition?.oldestUnsettled?.deliveredAtMs ?? 0)).toBeGreaterThan(60_000);
    expect(partition?.stalledMs).toBeLessThan(3_000);
    expect((await bus.health()).overall).toBe("healthy");
    await Promise.all([bus.close({ drainTimeoutMs: 0 }), clock.advanceAsync(1)]);
  });

  it("that was idle for an hour begins to stall with its next message, not before", async () => {
    const clock = manualClock();
    const bus = createEventBus({ group: "billing", clock, transport: memory({ partitions: 1 }) });
    await bus.subscribe(Orders, ({ value }) => (value.id === 2 ? never : undefined));
    await bus.start();
    await bus.publish(Orders, { id: 1 });
    await clock.advanceAsync(3_600_000);
    expect([gaugeOf(bus), (await bus.health()).overall]).toEqual([0, "healthy"]);
    await bus.publish(Orders, { id: 2 });
    await clock.advanceAsync(59_000);
    expect((await bus.health()).overall).toBe("healthy");
    await clock.advanceAsync(2_000);
    expect(gaugeOf(bus)).toBeGreaterThanOrEqual(60);
    expect((await bus.health()).components["subscriptions"]).toMatchObject({
      status: "unhealthy",
      detail: expect.stringMatching(/^orders\/0 is stalled at offset 1 for 6\d s$/),
    });
    await Promise.all([bus.close({ drainTimeoutMs: 0 }), clock.advanceAsync(1)]);
  });

  it("that stalled and went to another member looks stalled no more", async () => {
    const clock = manualClock();
    const broker = memoryBroker({ partitions: 2 });
    const first = createEventBus({ group: "billing", clock, transport: memory({ broker }) });
    await first.subscribe(Orders, () => never);
    await first.start();
    await first.publishMany(
      Orders,
      Array.from({ length: 20 }, (_, id) => ({ id })),
    );
    await clock.advanceAsync(90_000);
    expect(Math.min(gaugeOf(first, "0") ?? 0, gaugeOf(first, "1") ?? 0)).toBeGreaterThanOrEqual(90);
    const second = createEventBus({ group: "billing", clock, transport: memory({ broker }) });
    await second.subscribe(Orders, () => never);
    const started = second.start();
    await clock.advanceAsync(15_000);
    await started;
    const left = first.inspect().groups[0]?.partitions.map(({ partition }) => partition) ?? [];
    expect(left).toHaveLength(1);
    expect(gaugeOf(first, left[0] === 0 ? "1" : "0")).toBe(0);
    await Promise.all([
      first.close({ drainTimeoutMs: 0 }),
      second.close({ drainTimeoutMs: 0 }),
      clock.advanceAsync(1),
    ]);
  });
});

describe("bus.inspect", () => {
  it("shows what blocks the commit of a partition: key, attempt, since when, the class of its last error", async () => {
    const clock = manualClock({ startMs: 1_000 });
    const bus = createEventBus({
      group: "billing",
      clock,
      random: () => 0,
      transport: memory({ partitions: 1 }),
    });
    await bus.subscribe(Orders, ({ value }) => {
      if (value.id === 1) throw new TypeError("secret contents");
    });
    await bus.start();
    await bus.publish(Orders, { id: 0 });
    await bus.publish(Orders, { id: 1 });
    await bus.publish(Orders, { id: 2 });
    await clock.advanceAsync(5_000);
    const inspection = bus.inspect();
    const [failing] = inspection.failing;
    expect(inspection.groups[0]?.partitions[0]?.head).toEqual({
      offset: 1n,
      key: "1",
      state: "failing",
      attempt: failing?.attempt,
      sinceMs: 1_000,
      lastError: "TypeError",
    });
    expect(failing?.attempt).toBeGreaterThanOrEqual(2);
    expect(failing).toMatchObject({ offset: 1n, failures: failing?.attempt });
    await Promise.all([bus.close({ drainTimeoutMs: 0 }), clock.advanceAsync(1)]);
  });

  it("shows a handler that runs, and nothing where nothing is in flight", async () => {
    const clock = manualClock();
    const bus = createEventBus({ group: "billing", clock, transport: memory({ partitions: 1 }) });
    await bus.subscribe(Orders, () => never);
    await bus.start();
    await clock.advanceAsync(1_000);
    expect(bus.inspect().groups[0]?.partitions[0]?.head).toBeUndefined();
    await bus.publish(Orders, { id: 5 });
    await clock.advanceAsync(1_000);
    expect(bus.inspect().groups[0]?.partitions[0]?.head).toMatchObject({
      key: "5",
      state: "running",
      attempt: 1,
      lastError: undefined,
    });
    await Promise.all([bus.close({ drainTimeoutMs: 0 }), clock.advanceAsync(1)]);
  });
});

it("a bus looks at itself only while it runs, and leaves no timer behind", async () => {
  const clock = manualClock();
  const bus = createEventBus({ group: "billing", clock, transport: memory() });
  expect(clock.pending).toBe(0);
  await bus.start();
  expect(clock.pending).toBeGreaterThan(0);
  await Promise.all([bus.close(), clock.advanceAsync(1)]);
  expect(clock.pending).toBe(0);
});
