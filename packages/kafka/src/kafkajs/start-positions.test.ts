import { expect, test } from "vitest";
import type { DriverOffsets } from "../kafka-driver.ts";
import { StartPositions } from "./start-positions.ts";

interface FakeCluster {
  fetchTopicsOffset(topics: readonly object[]): Promise<readonly object[]>;
}

function lab(committed: readonly number[]) {
  const asked: string[] = [];
  const offsets: Pick<DriverOffsets, "committedOffsets" | "topicOffsets"> = {
    committedOffsets: async (group) => {
      asked.push(group);
      return committed.map((partition) => ({ topic: "t", partition, offset: 5n }));
    },
    topicOffsets: async (topic) =>
      [0, 1].map((partition) => ({ topic, partition, low: 0n, high: 9n })),
  };
  const positions = new StartPositions("g", offsets as DriverOffsets);
  const found = [{ topic: "t", partitions: [{ partition: 1, offset: "0" }] }];
  const cluster: FakeCluster = { fetchTopicsOffset: () => Promise.resolve(found) };
  positions.attach(cluster as never); // the part of a cluster that start positions use
  const look = (topic: string): Promise<unknown> =>
    cluster.fetchTopicsOffset([{ topic, partitions: [{ partition: 1 }] }]);
  return { positions, asked, look, found };
}

test("a topic that begins at none needs an offset in every partition", async () => {
  const { positions } = lab([0]);
  await expect(positions.check([{ topic: "t", startFrom: "none" }])).rejects.toMatchObject({
    code: "BUS_NO_OFFSET",
    details: { group: "g", topic: "t", partition: 1 },
  });
});

test("with all offsets it may begin, but not where one has gone meanwhile", async () => {
  const { positions, look, found } = lab([0, 1]);
  await positions.check([{ topic: "t", startFrom: "none" }]);
  await expect(look("t")).rejects.toMatchObject({ code: "BUS_NO_OFFSET" });
  await expect(look("other")).resolves.toBe(found);
});

test("topics that begin at an end of the log are let through without asking", async () => {
  const { positions, asked, look, found } = lab([]);
  await positions.check([{ topic: "t", startFrom: "latest" }]);
  expect(asked).toEqual([]);
  await expect(look("t")).resolves.toBe(found);
});
