import { expect, test } from "vitest";
import { manualClock } from "@bus/testkit";
import { turn } from "../../test/fake-records.ts";
import { PartitionFetch } from "./partition-fetch.ts";
import type { FetchAnswer, FetchingCluster, FetchRequest } from "./partition-fetch.ts";

async function lab() {
  const clock = manualClock();
  const asked: FetchRequest[] = [];
  const seen: FetchRequest[] = [];
  const handed: FetchAnswer[] = [];
  const broker = {
    fetch: (request: FetchRequest) => {
      asked.push(request);
      return Promise.resolve({ responses: [] });
    },
  };
  const cluster: FetchingCluster = { findBroker: () => Promise.resolve(broker) };
  const fetch = new PartitionFetch({
    clock,
    maxWaitMs: 250,
    onFetching: (request) => void seen.push(request),
    onFetched: (_, answer) => {
      handed.push(answer);
      return answer;
    },
  });
  fetch.attach(cluster);
  const found = await cluster.findBroker({ nodeId: "1" });
  const request = (...partitions: number[]) =>
    found.fetch({
      maxWaitTime: 250,
      topics: [
        {
          topic: "t",
          partitions: partitions.map((partition) => ({ partition, fetchOffset: "5", maxBytes: 1 })),
        },
      ],
    });
  const askedPartitions = (): number[] | undefined =>
    asked.at(-1)?.topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition));
  return { clock, fetch, request, asked, seen, handed, askedPartitions };
}

test("without a pause a request goes out as it is, and its answer is handed over", async () => {
  const { request, asked, handed, askedPartitions } = await lab();
  await request(0, 1);
  expect(askedPartitions()).toEqual([0, 1]);
  expect(asked[0]?.maxWaitTime).toBe(250);
  expect(handed.length).toBe(1);
});

test("a paused partition is left out, and the broker may not wait long for the others", async () => {
  const { fetch, request, asked, seen, askedPartitions } = await lab();
  fetch.pause({ topic: "t", partition: 1 });
  await request(0, 1);
  expect(askedPartitions()).toEqual([0]);
  expect(asked[0]?.maxWaitTime).toBe(5);
  expect(seen[0]?.topics[0]?.partitions.length).toBe(2);
});

test("the longer a pause, the longer the broker may wait, up to what the options say", async () => {
  const { clock, fetch, request, asked } = await lab();
  fetch.pause({ topic: "t", partition: 1 });
  clock.advance(200);
  await request(0, 1);
  clock.advance(60_000);
  await request(0, 1);
  expect(asked.map(({ maxWaitTime }) => maxWaitTime)).toEqual([50, 250]);
});

test("with everything paused nothing is asked, and a resume ends the wait at once", async () => {
  const { clock, fetch, request, asked } = await lab();
  fetch.pause({ topic: "t", partition: 0 });
  let isDone = false;
  void request(0).then(() => (isDone = true));
  await turn();
  expect(isDone).toBe(false);
  fetch.resume({ topic: "t", partition: 0 });
  await turn();
  expect(isDone).toBe(true);
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
  await request(0);
  expect(asked.length).toBe(1);
});

test("with everything paused the wait ends by itself, so that the member stays alive", async () => {
  const { clock, fetch, request } = await lab();
  fetch.pause({ topic: "t", partition: 0 });
  let isDone = false;
  void request(0).then(() => (isDone = true));
  await clock.advanceAsync(249);
  expect(isDone).toBe(false);
  await clock.advanceAsync(1);
  expect(isDone).toBe(true);
});

test("pausing and resuming twice is as once, and a resume of another topic changes nothing", async () => {
  const { fetch, request, askedPartitions } = await lab();
  fetch.pause({ topic: "t", partition: 0 });
  fetch.pause({ topic: "t", partition: 0 });
  fetch.resume({ topic: "other", partition: 0 });
  await request(0, 1);
  expect(askedPartitions()).toEqual([1]);
  fetch.resume({ topic: "t", partition: 0 });
  fetch.resume({ topic: "t", partition: 0 });
  await request(0, 1);
  expect(askedPartitions()).toEqual([0, 1]);
});
