import { expect, it } from "vitest";
import { never, numbers, Orders, world } from "./support/service.ts";

const healthy = { overall: "healthy" };

it("idle is healthy, for as long as it lasts", async () => {
  const { clock, service } = world();
  const { bus, passing, close } = service();
  await bus.subscribe(Orders, () => undefined);
  await passing(bus.start());
  expect(await bus.health()).toMatchObject(healthy);
  await clock.advanceAsync(3_600_000);
  expect(await bus.health()).toMatchObject(healthy);
  await close();
});

it("a partition that stands still is unhealthy once its limit has passed, and healthy when it moves on", async () => {
  const { clock, service } = world();
  const { bus, passing, close } = service({ bus: { stalledAfterMs: 30_000 } });
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  await bus.subscribe(Orders, () => gate);
  await passing(bus.start());
  await bus.publish(Orders, 1);
  await clock.advanceAsync(29_000);
  expect(await bus.health()).toMatchObject(healthy);
  await clock.advanceAsync(2_000);
  expect(await bus.health()).toMatchObject({
    overall: "unhealthy",
    components: { subscriptions: { status: "unhealthy" } },
  });
  open();
  // Until the recovery mode that the lag has caused is over, too.
  await clock.advanceAsync(300_000);
  expect(await bus.health()).toMatchObject(healthy);
  await close();
});

it("a backlog, and the recovery mode that it causes, degrade", async () => {
  const { clock, service } = world();
  const { bus, passing, close } = service();
  await bus.subscribeWithAggregateId(Orders, () => never);
  await passing(bus.start());
  await bus.publishMany(Orders, numbers(100));
  await clock.advanceAsync(3_000);
  expect(await bus.health()).toMatchObject({
    overall: "degraded",
    components: { backlog: { status: "degraded" }, recovery: { status: "degraded" } },
  });
  await close();
});

it("recovery mode at the start is no illness", async () => {
  const { clock, service } = world();
  const { bus, passing, close } = service({
    aggregate: { startMode: "recovery", minDwellMs: 60_000 },
  });
  await bus.subscribeWithAggregateId(Orders, () => undefined);
  await passing(bus.start());
  await clock.advanceAsync(2_000);
  expect([bus.isInRecoveryMode(), (await bus.health()).overall]).toEqual([true, "healthy"]);
  await close();
});

it("a topic without a handler degrades until it has one", async () => {
  const { clock, service } = world();
  const { bus, passing, close } = service({ bus: { holdTopics: ["orders"] } });
  await passing(bus.start());
  expect(await bus.health()).toMatchObject({
    overall: "degraded",
    components: { subscriptions: { detail: "topics without a handler are held: orders" } },
  });
  await passing(bus.subscribe(Orders, () => undefined));
  await clock.advanceAsync(100);
  expect(await bus.health()).toMatchObject(healthy);
  await close();
});

it("dead letters that cannot be stored degrade until they can", async () => {
  const { clock, broker, service } = world();
  const { bus, passing, close } = service();
  await bus.subscribe(Orders, () => {
    throw new Error("never");
  });
  await passing(bus.start());
  const repair = broker.faults.failPublish({ predicate: ({ topic }) => topic === "orders.dlq" });
  await bus.publish(Orders, 1);
  await clock.advanceAsync(5_000);
  expect(await bus.health()).toMatchObject({
    overall: "degraded",
    components: { handlers: { detail: "dead letters of orders cannot be stored" } },
  });
  repair();
  await clock.advanceAsync(40_000);
  expect(await bus.health()).toMatchObject(healthy);
  await close();
});

it("a broker out of reach degrades, is unhealthy beyond the grace, and healthy when it is back", async () => {
  const { clock, broker, service } = world();
  const { bus, transport, passing, close } = service({ bus: { disconnectedAfterMs: 10_000 } });
  await bus.subscribe(Orders, () => undefined);
  await passing(bus.start());
  const restore = broker.faults.dropConnection(transport);
  const connection = async () => (await bus.health()).components["connection"];
  await clock.advanceAsync(9_000);
  expect(await connection()).toMatchObject({ status: "degraded" });
  await clock.advanceAsync(2_000);
  expect(await connection()).toMatchObject({
    status: "unhealthy",
    detail: expect.stringContaining("has not been reached for 11 s"),
  });
  restore();
  await clock.advanceAsync(2_000);
  expect(await bus.health()).toMatchObject(healthy);
  await close();
});

it("a check that hangs degrades and holds nothing up, one that rejects is unhealthy", async () => {
  const { clock, service } = world();
  const { bus, passing, close } = service();
  await passing(bus.start());
  bus.addHealthCheck({ name: "stuck", check: () => new Promise(() => undefined) });
  const health = bus.health();
  await clock.advanceAsync(5_000);
  expect(await health).toMatchObject({
    overall: "degraded",
    components: {
      stuck: { status: "degraded", detail: "check stuck did not answer within 5000 ms" },
    },
  });
  bus.addHealthCheck({
    name: "database",
    check: () => Promise.reject(new Error("refused")),
  });
  const worse = bus.health();
  await clock.advanceAsync(5_000);
  expect(await worse).toMatchObject({
    overall: "unhealthy",
    components: { database: { status: "unhealthy", detail: "check database failed: refused" } },
  });
  await close();
});

it("a closed bus is unhealthy, and its neighbour in the same process does not mind", async () => {
  const { service } = world();
  const first = service();
  const second = service();
  for (const { bus, passing } of [first, second]) {
    await bus.subscribe(Orders, () => undefined);
    await passing(bus.start());
  }
  await first.close();
  expect(await first.bus.health()).toMatchObject({
    overall: "unhealthy",
    components: { bus: { detail: "the bus is closed" } },
  });
  expect(await second.bus.health()).toMatchObject(healthy);
  await second.close();
});
