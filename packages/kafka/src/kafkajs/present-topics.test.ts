import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { manualClock, testHost } from "@bus/testkit";
import { turn } from "../../test/fake-records.ts";
import { PresentTopics } from "./present-topics.ts";

function lab() {
  const clock = manualClock();
  const host = { ...testHost(), clock };
  const state = { there: ["a", "b"], isUnreachable: false, found: 0, lookUps: 0 };
  const present = new PresentTopics({
    group: "g",
    host,
    existing: async (topics) => {
      state.lookUps += 1;
      if (state.isUnreachable) throw new BusTransportError("BUS_TRANSPORT", "no broker");
      return new Set(topics.filter((topic) => state.there.includes(topic)));
    },
    onFound: () => void (state.found += 1),
  });
  const of = async (): Promise<string[]> => {
    const topics = await present.of(
      ["a", "b"].map((topic) => ({ topic, startFrom: "earliest" as const })),
    );
    return topics.map(({ topic }) => topic);
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await turn();
  };
  return { state, host, present, of, pass };
}

test("all topics that exist are consumed, and nothing is looked for", async () => {
  const { of, pass, state, host } = lab();
  expect(await of()).toEqual(["a", "b"]);
  await pass(60_000);
  expect(state.lookUps).toBe(1);
  expect(host.events).toEqual([]);
});

test("a missing topic is left out with one warning until it is there again", async () => {
  const { of, pass, state, host } = lab();
  state.there = ["a"];
  expect(await of()).toEqual(["a"]);
  expect(await of()).toEqual(["a"]);
  expect(host.events).toMatchObject([{ kind: "warning", details: { group: "g", topic: "b" } }]);
  await pass(15_000);
  expect(state.found).toBe(0);
  state.there = ["a", "b"];
  await pass(15_000);
  expect(state.found).toBe(1);
});

test("a cluster that does not answer leaves the topics as they are, and the search goes on", async () => {
  const { of, pass, state } = lab();
  state.isUnreachable = true;
  expect(await of()).toEqual(["a", "b"]);
  state.isUnreachable = false;
  state.there = ["a"];
  await of();
  state.isUnreachable = true;
  await pass(15_000);
  expect(state.found).toBe(0);
  state.isUnreachable = false;
  state.there = ["a", "b"];
  await pass(15_000);
  expect(state.found).toBe(1);
});

test("nothing is looked for once it is closed, not even by a look-up under way", async () => {
  const { of, pass, present, state } = lab();
  state.there = [];
  const looking = of();
  present.close();
  await looking;
  await pass(60_000);
  expect([state.lookUps, state.found]).toEqual([1, 0]);
});
