import { describe, expect, it } from "vitest";
import type { FetchedRecords } from "../kafka-driver.ts";
import type { NativeMessage } from "./confluent-client-types.ts";
import { PartitionFlow } from "./partition-flow.ts";
import { RecordsHandOver } from "./records-hand-over.ts";

const HIGH = 100;

function setUp(positions: Readonly<Record<number, number>> = {}) {
  const flow = new PartitionFlow();
  for (const partition of [0, 1]) {
    flow.add({ topic: "t", partition });
    const owned = flow.find("t", partition);
    if (owned !== undefined) owned.position = positions[partition];
  }
  const seen: string[] = [];
  const records = ({
    partition,
    fetchedFrom,
    nextPosition,
    end,
    records: walk,
  }: FetchedRecords): void => {
    const offsets: number[] = [];
    for (; walk.offset >= 0; walk.next()) offsets.push(walk.offset);
    seen.push(
      `${partition}: [${offsets.join(" ")}] from ${fetchedFrom} to ${nextPosition}, end ${end}`,
    );
  };
  const handOver = new RecordsHandOver({ flow, sink: { records } });
  const client = { getWatermarkOffsets: () => ({ highOffset: HIGH }) };
  return {
    flow,
    handOver,
    seen,
    take: (messages: readonly NativeMessage[]) => handOver.handOver(client, messages),
  };
}

function message(partition: number, offset: number, topic = "t"): NativeMessage {
  return { topic, partition, offset, timestamp: 1, key: null, value: Buffer.from("v"), size: 1 };
}

describe("RecordsHandOver", () => {
  it("cuts a batch into runs of one partition, in order", () => {
    const { take, seen } = setUp();
    take([message(0, 5), message(0, 6), message(1, 0), message(0, 9)]);
    expect(seen).toEqual([
      "0: [5 6] from 5 to 7, end 100",
      "1: [0] from 0 to 1, end 100",
      "0: [9] from 7 to 10, end 100",
    ]);
  });

  it("passes over partitions that are not owned", () => {
    const { take, seen } = setUp();
    take([message(7, 5), message(0, 6, "other"), message(0, 1)]);
    expect(seen).toEqual(["0: [1] from 1 to 2, end 100"]);
  });

  it("begins at the position that the partition was given, gaps in front of the first record included", () => {
    const { take, seen } = setUp({ 0: 3 });
    take([message(0, 17)]);
    expect(seen).toEqual(["0: [17] from 3 to 18, end 100"]);
  });

  it("tells of an end behind the records of the same batch once these are handed over", () => {
    const { take, seen, handOver } = setUp();
    handOver.ended({ topic: "t", partition: 0, offset: 10 });
    take([message(0, 5), message(0, 6)]);
    expect(seen).toEqual(["0: [5 6] from 5 to 7, end 100", "0: [] from 7 to 10, end 10"]);
  });

  it("does not take an end in front of the records of the same batch for a cut of the log", () => {
    const { take, seen, handOver } = setUp({ 0: 5 });
    handOver.ended({ topic: "t", partition: 0, offset: 5 });
    take([message(0, 5), message(0, 6)]);
    expect(seen).toEqual(["0: [] from 5 to 5, end 5", "0: [5 6] from 5 to 7, end 100"]);
  });

  it("tells of an end that is nothing new only the first time", () => {
    const { take, seen, handOver } = setUp({ 0: 5 });
    for (let times = 0; times < 3; times += 1) {
      handOver.ended({ topic: "t", partition: 0, offset: 5 });
      take([]);
    }
    expect(seen).toEqual(["0: [] from 5 to 5, end 5"]);
  });

  it("tells that the log ends before the position, when it was cut or made anew", () => {
    const { take, seen, handOver } = setUp({ 0: 50 });
    handOver.ended({ topic: "t", partition: 0, offset: 2 });
    take([]);
    expect(seen).toEqual(["0: [] from 2 to 2, end 2"]);
  });

  it("goes back when records come from before the position", () => {
    const { take, seen } = setUp({ 0: 50 });
    take([message(0, 0), message(0, 1)]);
    expect(seen).toEqual(["0: [0 1] from 0 to 2, end 100"]);
  });

  it("ends at the last stable offset while a transaction is open, but never before the position", () => {
    const { take, seen, flow, handOver } = setUp();
    const owned = flow.find("t", 0);
    if (owned !== undefined) owned.lastStable = 7;
    take([message(0, 5)]);
    take([message(0, 8)]);
    handOver.ended({ topic: "t", partition: 0, offset: 12 });
    take([]);
    take([message(0, 12)]);
    expect(seen).toEqual([
      "0: [5] from 5 to 6, end 7",
      "0: [8] from 6 to 9, end 9",
      "0: [] from 9 to 12, end 12",
      "0: [12] from 12 to 13, end 100",
    ]);
  });

  it("counts what a paused partition still brings", () => {
    const { take, flow } = setUp();
    flow.pause({ topic: "t", partition: 0 });
    take([message(0, 1), message(0, 2), message(1, 1)]);
    expect(flow.find("t", 0)).toMatchObject({ leftOverMessages: 2, leftOverBytes: 2 });
    expect(flow.find("t", 1)).toMatchObject({ leftOverMessages: 0 });
  });
});
