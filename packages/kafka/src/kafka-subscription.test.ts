import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import type { TransportEvent } from "@bus/core";
import { manualClock, testHost } from "@bus/testkit";
import { turn } from "../test/fake-records.ts";
import { KAFKA_DEFAULTS } from "./kafka-defaults.ts";
import type { DriverTopic } from "./kafka-driver.ts";
import { KafkaSubscription } from "./kafka-subscription.ts";

function lab() {
  const clock = manualClock();
  const events: TransportEvent[] = [];
  const subscribed: string[] = [];
  const state: { refuses: (topics: readonly string[]) => boolean; isClosed: boolean } = {
    refuses: () => false,
    isClosed: false,
  };
  const subscription = new KafkaSubscription({
    group: "group",
    topics: [{ topic: "a" }],
    options: KAFKA_DEFAULTS.consumer,
    host: { ...testHost({ clock }), emit: (event) => void events.push(event) },
    deliver: () => undefined,
    ensureTopics: () => Promise.resolve(),
    onClosed: () => undefined,
    createConsumer: () => ({
      subscribe: async (topics: readonly DriverTopic[]) => {
        const names = topics.map(({ topic }) => topic);
        subscribed.push(names.join("+"));
        if (state.refuses(names)) throw new BusTransportError("BUS_AUTHORIZATION", "not allowed");
      },
      pause: () => undefined,
      resume: () => undefined,
      seek: () => undefined,
      decoder: { name: "fake" },
      commit: () => Promise.resolve(),
      close: async () => void (state.isClosed = true),
    }),
  });
  const gathered = async (): Promise<void> => {
    await clock.advanceAsync(100);
    await turn();
  };
  return { subscription, events, subscribed, state, gathered };
}

test("topics that are added together change the membership once", async () => {
  const { subscription, subscribed, gathered } = lab();
  await subscription.join();
  const first = subscription.update([{ topic: "a" }, { topic: "b" }]);
  const second = subscription.update([{ topic: "a" }, { topic: "b" }, { topic: "c" }]);
  await gathered();
  await Promise.all([first, second]);
  expect(subscribed).toEqual(["a", "a+b+c"]);
});

test("holding a topic does not change the membership", async () => {
  const { subscription, subscribed, gathered } = lab();
  await subscription.join();
  const held = subscription.update([{ topic: "a", held: true }]);
  await gathered();
  await held;
  expect(subscribed).toEqual(["a"]);
});

test("a topic that cannot be added fails its change and leaves the others as they were", async () => {
  const { subscription, subscribed, state, events, gathered } = lab();
  await subscription.join();
  state.refuses = (names) => names.includes("b");
  await Promise.all([
    expect(subscription.update([{ topic: "a" }, { topic: "b" }])).rejects.toThrow("not allowed"),
    gathered(),
  ]);
  expect(subscribed).toEqual(["a", "a+b", "a"]);
  expect(events).toEqual([]);
  const added = subscription.update([{ topic: "a" }, { topic: "c" }]);
  await gathered();
  await added;
  expect(subscribed.at(-1)).toBe("a+c");
});

test("a subscription that cannot go back to what it had ends and says why", async () => {
  const { subscription, state, events, gathered } = lab();
  await subscription.join();
  state.refuses = () => true;
  await Promise.all([
    expect(subscription.update([{ topic: "a" }, { topic: "b" }])).rejects.toThrow("not allowed"),
    gathered(),
  ]);
  expect(events).toMatchObject([{ kind: "subscriptionEnded", group: "group" }]);
  expect(subscription.state.kind).toBe("ended");
});

test("a group that cannot be joined leaves nothing behind", async () => {
  const { subscription, state } = lab();
  state.refuses = () => true;
  await expect(subscription.join()).rejects.toThrow("not allowed");
  expect([state.isClosed, subscription.state.kind]).toEqual([true, "closed"]);
});

test("a topic begins where its own setting says, else where the group's does", async () => {
  const { subscription, gathered } = lab();
  const changed = subscription.update([{ topic: "a" }, { topic: "b", startFrom: "latest" }]);
  await gathered();
  await changed;
  expect([subscription.startsFrom("a"), subscription.startsFrom("b")]).toEqual([
    KAFKA_DEFAULTS.consumer.autoOffsetReset,
    "latest",
  ]);
});
