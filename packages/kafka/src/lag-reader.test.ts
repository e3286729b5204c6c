import { expect, test } from "vitest";
import { BusTransportError } from "@bus/core";
import { manualClock } from "@bus/testkit";
import type { DriverAdmin, PartitionEnds, PartitionOffset } from "./kafka-driver.ts";
import { KafkaLagReader } from "./lag-reader.ts";

interface State {
  committed?: readonly PartitionOffset[] | Error;
  ends?: Record<string, readonly PartitionEnds[] | Error>;
  atTime?: Record<string, readonly PartitionOffset[]>;
}

function lab(state: State, startsFrom: "earliest" | "latest" = "earliest") {
  const requests: string[] = [];
  const clock = manualClock({ startMs: 100_000 });
  const answer = async <TValue>(value: TValue | Error | undefined): Promise<TValue> => {
    if (value === undefined) throw new BusTransportError("BUS_TOPIC_MISSING", "no such topic");
    if (value instanceof Error) throw value;
    return value;
  };
  const admin: Pick<DriverAdmin, "committedOffsets" | "topicOffsets" | "offsetsAtTime"> = {
    committedOffsets: (group) => {
      requests.push(`committed ${group}`);
      return answer(state.committed ?? []);
    },
    topicOffsets: (topic) => {
      requests.push(`ends ${topic}`);
      return answer(state.ends?.[topic]);
    },
    offsetsAtTime: (topic, timestampMs) => {
      requests.push(`at ${topic} ${timestampMs}`);
      return answer(state.atTime?.[topic]);
    },
  };
  const reader = new KafkaLagReader({
    driver: { admin: admin as DriverAdmin },
    clock,
    startsFrom: () => startsFrom,
  });
  return { reader, requests };
}

const ends = (partition: number, low: bigint, high: bigint): PartitionEnds => ({
  topic: "t",
  partition,
  low,
  high,
});
const at = (partition: number, offset: bigint): PartitionOffset => ({
  topic: "t",
  partition,
  offset,
});

test("lag is the end less what is committed, or less the first offset that still exists", async () => {
  const { reader, requests } = lab({
    committed: [at(0, 7n), at(1, 2n)],
    ends: { t: [ends(0, 0n, 10n), ends(1, 5n, 10n), ends(2, 3n, 9n)] },
  });
  const lag = await reader.read({ group: "g", topics: ["t"] });
  expect(lag.partitions.map(({ lagMessages }) => lagMessages)).toEqual([3n, 5n, 6n]);
  expect(lag.partitions[2]?.committed).toBeUndefined();
  expect(requests).toEqual(["committed g", "ends t"]);
});

test("nothing committed is no lag for a group that begins at latest", async () => {
  const { reader } = lab({ ends: { t: [ends(0, 0n, 10n)] } }, "latest");
  const lag = await reader.read({ group: "g", topics: ["t"] });
  expect(lag.partitions[0]?.lagMessages).toBe(0n);
});

test("a committed offset beyond the end is no negative lag", async () => {
  const { reader } = lab({ committed: [at(0, 12n)], ends: { t: [ends(0, 0n, 10n)] } });
  expect((await reader.read({ group: "g", topics: ["t"] })).partitions[0]?.lagMessages).toBe(0n);
});

test("a topic that cannot be read is unknown and spoils no other", async () => {
  const { reader } = lab({ ends: { t: [ends(0, 0n, 1n)] } });
  const lag = await reader.read({ group: "g", topics: ["t", "missing"] });
  expect(lag.partitions.length).toBe(1);
  expect(lag.unknown).toMatchObject([{ topic: "missing", partition: -1 }]);
});

test("without the group's offsets everything is unknown, never zero", async () => {
  const { reader } = lab({ committed: new Error("down"), ends: { t: [ends(0, 0n, 1n)] } });
  const lag = await reader.read({ group: "g", topics: ["t"] });
  expect(lag).toMatchObject({ partitions: [], unknown: [{ topic: "t", partition: -1 }] });
});

test("a partition is old when an unconsumed message lies before the first young one", async () => {
  const { reader, requests } = lab({
    committed: [at(0, 5n), at(1, 5n), at(2, 9n)],
    ends: { t: [ends(0, 0n, 9n), ends(1, 0n, 9n), ends(2, 0n, 9n)] },
    atTime: { t: [at(0, 5n), at(1, 6n), at(2, 9n)] },
  });
  const { partitions } = await reader.read({ group: "g", topics: ["t"] });
  expect(await reader.olderThan(partitions, 30_000)).toEqual([{ topic: "t", partition: 1 }]);
  expect(requests.at(-1)).toBe("at t 70000");
});

test("a topic without lag is not asked for its age", async () => {
  const { reader, requests } = lab({ committed: [at(0, 9n)], ends: { t: [ends(0, 0n, 9n)] } });
  const { partitions } = await reader.read({ group: "g", topics: ["t"] });
  expect(await reader.olderThan(partitions, 1)).toEqual([]);
  expect(requests.some((request) => request.startsWith("at"))).toBe(false);
});

test("an abort ends the wait for an answer", async () => {
  const { reader } = lab({ ends: { t: [ends(0, 0n, 9n)] } });
  const reading = reader.read({ group: "g", topics: ["t"], signal: AbortSignal.abort() });
  await expect(reading).rejects.toMatchObject({ code: "BUS_ABORTED" });
});
