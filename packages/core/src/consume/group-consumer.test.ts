import { describe, expect, it } from "vitest";
import { manualClock } from "@bus/testkit";
import type { Deliver, Delivery } from "../contracts/delivery.ts";
import type { Scheduler } from "../contracts/scheduler.ts";
import type { SubscriptionRequest, TopicSubscription } from "../contracts/transport.ts";
import { BusReporter } from "../observe/bus-reporter.ts";
import { createInstruments } from "../observe/instruments.ts";
import { ObserverHub } from "../observe/observer-hub.ts";
import { fakeDelivery, settled } from "../../test/fake-delivery.ts";
import { GroupConsumer } from "./group-consumer.ts";

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function consumerOver(
  hooks: { readonly onSubscribe?: (consumer: GroupConsumer) => Promise<void> } = {},
) {
  const clock = manualClock();
  const calls: string[] = [];
  let deliver: Deliver = () => undefined;
  const show = (topics: readonly TopicSubscription[]): string =>
    topics.map(({ topic, held }) => (held === true ? `(${topic})` : topic)).join(" ");
  const hub = new ObserverHub(silent);
  const transport = {
    async subscribe(request: SubscriptionRequest, to: Deliver) {
      calls.push(`subscribe ${show(request.topics)}`);
      deliver = to;
      await hooks.onSubscribe?.(consumer);
      return {
        update: async (topics: readonly TopicSubscription[]) =>
          void calls.push(`update ${show(topics)}`),
        pause: ({ topic, partition }: { topic: string; partition: number }) =>
          void calls.push(`pause ${topic}/${partition}`),
        resume: ({ topic, partition }: { topic: string; partition: number }) =>
          void calls.push(`resume ${topic}/${partition}`),
        partitions: () => [],
        close: async () => (calls.push("close"), { abandonedDeliveries: 0 }),
      };
    },
  };
  const reporter = new BusReporter({
    clock,
    logger: silent,
    instruments: createInstruments(),
    hub,
  });
  const consumer = new GroupConsumer({ group: "g", transport, clock, reporter, hub });
  return { consumer, clock, calls, deliver: (delivery: Delivery) => deliver(delivery) };
}

function route(topic: string, schedule: Scheduler["schedule"] = () => undefined) {
  const spec = { topic, group: "g", ordering: "partition", concurrency: 1, plugins: {} } as const;
  return { spec, scheduler: { schedule, drained: () => Promise.resolve() }, startFrom: undefined };
}

describe("GroupConsumer", () => {
  it("joins once, with every topic that was added before the start, held ones included", async () => {
    const { consumer, calls } = consumerOver();
    await consumer.add(route("a"));
    await consumer.add(route("b"));
    consumer.hold("c");
    await consumer.start();
    expect(calls).toEqual(["subscribe a b (c)"]);
  });

  it("coalesces topics added in one go after the start into one membership change", async () => {
    const { consumer, clock, calls } = consumerOver();
    await consumer.start();
    const added = Promise.all([
      consumer.add(route("a")),
      consumer.add(route("b")),
      consumer.add(route("c")),
    ]);
    await clock.advanceAsync(0);
    await added;
    expect(calls).toEqual(["subscribe ", "update a b c"]);
  });

  it("adds a topic that was registered while the member was joining", async () => {
    const { consumer, clock, calls } = consumerOver({
      onSubscribe: (joining) => joining.add(route("late")),
    });
    const started = consumer.start();
    await settled();
    await clock.advanceAsync(0);
    await started;
    expect(calls).toEqual(["subscribe ", "update late"]);
  });

  it("passes each delivery to the scheduler of its topic", async () => {
    const { consumer, deliver } = consumerOver();
    const seen: string[] = [];
    await consumer.add(route("a", ({ topic, offset }) => void seen.push(`${topic}@${offset}`)));
    await consumer.add(route("b", ({ topic, offset }) => void seen.push(`${topic}@${offset}`)));
    await consumer.start();
    for (const [topic, offset] of [
      ["a", 0],
      ["a", 1],
      ["b", 0],
      ["a", 2],
    ] as const)
      deliver(fakeDelivery({ topic, offset }));
    expect(seen).toEqual(["a@0", "a@1", "b@0", "a@2"]);
  });

  it("gives a delivery back whose handler is gone, never acknowledges it", async () => {
    const { consumer, clock, calls, deliver } = consumerOver();
    await consumer.add(route("a"));
    await consumer.start();
    const removed = consumer.remove("a", true);
    const delivery = fakeDelivery({ topic: "a" });
    deliver(delivery);
    await clock.advanceAsync(0);
    await removed;
    expect(delivery.settlements).toEqual([{ kind: "release" }]);
    expect(calls).toEqual(["subscribe a", "update (a)"]);
  });

  it("remembers partitions that a scheduler paused before the member had joined", async () => {
    const { consumer, calls } = consumerOver({
      onSubscribe: async ({ flow }) => {
        flow.pause({ topic: "a", partition: 1 });
        flow.pause({ topic: "a", partition: 2 });
        flow.resume({ topic: "a", partition: 1 });
      },
    });
    await consumer.start();
    expect(calls).toEqual(["subscribe ", "pause a/2"]);
    consumer.flow.resume({ topic: "a", partition: 2 });
    expect(calls.at(-1)).toBe("resume a/2");
  });
});
