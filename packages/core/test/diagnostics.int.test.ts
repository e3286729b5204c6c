import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import { afterEach, describe, expect, it } from "vitest";
import { BUS_CHANNELS, createEventBus } from "@bus/core";
import type {
  ProcessDiagnostics,
  PublishDiagnostics,
  RetryDiagnostics,
  SettleDiagnostics,
  StatusDiagnostics,
  TransportDiagnostics,
} from "@bus/core";
import { memory } from "@bus/memory";
import { manualClock } from "@bus/testkit";
import { Orders } from "./bus-lab.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** Hear a plain channel until the end of the test; its messages are those documented for it. */
function listen(channel: string, heard: (message: never) => void): void {
  const listener = (message: unknown): void => heard(message as never); // whatever the channel carries
  subscribe(channel, listener);
  stops.push(() => void unsubscribe(channel, listener));
}

/** Hear a tracing channel until the end of the test. */
function trace(channel: string, heard: (moment: string, message: never) => void): void {
  const traced = tracingChannel<unknown, object>(channel);
  const at =
    (moment: string) =>
    (message: object): void =>
      heard(moment, message as never); // whatever the channel carries
  const listeners = {
    start: at("start"),
    end: at("end"),
    asyncStart: at("asyncStart"),
    asyncEnd: at("asyncEnd"),
    error: at("error"),
  };
  traced.subscribe(listeners);
  stops.push(() => traced.unsubscribe(listeners));
}

async function runningBus(handler: () => Promise<void> | void) {
  const clock = manualClock();
  const bus = createEventBus({ group: "billing", clock, transport: memory({ partitions: 1 }) });
  await bus.subscribe(Orders, handler);
  await bus.start();
  const close = () => Promise.all([bus.close({ drainTimeoutMs: 0 }), clock.advanceAsync(1)]);
  return { bus, clock, close };
}

describe("the diagnostics channels", () => {
  it("trace a publish from the call of the transport to its receipts", async () => {
    const moments: string[] = [];
    let told: (PublishDiagnostics & { readonly result?: unknown }) | undefined;
    trace(BUS_CHANNELS.publish, (moment, message: PublishDiagnostics) => {
      moments.push(moment);
      told = message;
    });
    const { bus, close } = await runningBus(() => undefined);
    const receipt = await bus.publish(Orders, { id: 1 });
    expect(moments).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
    expect(told).toMatchObject({ transport: "memory", result: [receipt] });
    expect(told?.messages[0]?.topic).toBe("orders");
    await close();
  });

  it("trace every run of a handler, tell of the retry between them, and of the settlement", async () => {
    const heard: string[] = [];
    trace(BUS_CHANNELS.process, (moment, { message, context }: ProcessDiagnostics) => {
      if (moment === "start" || moment === "error")
        heard.push(`${moment} ${message.topic}@${message.offset} attempt ${context.attempt}`);
    });
    listen(BUS_CHANNELS.retry, ({ retry }: RetryDiagnostics) =>
      heard.push(`retry after ${retry.errorClass}`),
    );
    listen(BUS_CHANNELS.settle, ({ outcome, subscription }: SettleDiagnostics) =>
      heard.push(`${outcome} in ${subscription.group}`),
    );
    let runs = 0;
    const { bus, clock, close } = await runningBus(async () => {
      if (++runs === 1) throw new Error("not yet");
    });
    await bus.publish(Orders, { id: 1 });
    await clock.advanceAsync(5_000);
    expect(heard).toEqual([
      "start orders@0 attempt 1",
      "error orders@0 attempt 1",
      "retry after RETRYABLE",
      "start orders@0 attempt 2",
      "ack in billing",
    ]);
    await close();
  });

  it("tell what happens to the transport and to the bus", async () => {
    const events: string[] = [];
    const statuses: string[] = [];
    listen(BUS_CHANNELS.transport, ({ event }: TransportDiagnostics) => events.push(event.kind));
    listen(BUS_CHANNELS.status, ({ status }: StatusDiagnostics) => statuses.push(status));
    const { close } = await runningBus(() => undefined);
    await close();
    expect(events).toContain("connected");
    expect(events).toContain("assigned");
    expect(statuses).toEqual(["starting", "running", "closing", "closed"]);
  });

  it("that nobody hears leave a synchronous handler synchronous", async () => {
    const order: string[] = [];
    const { bus, clock, close } = await runningBus(() => {
      order.push("handled");
      queueMicrotask(() => order.push("after"));
    });
    await bus.publishMany(Orders, [{ id: 1 }]);
    await clock.advanceAsync(10);
    expect(order).toEqual(["handled", "after"]);
    await close();
  });
});
