import { beforeEach, describe, expect, it } from "vitest";
import type { NativePosition } from "./confluent-client-types.ts";
import { PartitionFlow } from "./partition-flow.ts";

const A = { topic: "t", partition: 0 };
const B = { topic: "t", partition: 1 };

describe("PartitionFlow", () => {
  let flow: PartitionFlow;
  let calls: string[];

  beforeEach(() => {
    flow = new PartitionFlow();
    calls = [];
    const note =
      (name: string) =>
      (partitions: readonly NativePosition[]): void =>
        void calls.push(`${name} ${partitions.map(({ partition }) => partition).join(",")}`);
    flow.attach({ pause: note("pause"), resume: note("resume") });
    flow.add(A);
    flow.add(B);
  });

  function bring(partition: typeof A, messages: number, bytes = 0): void {
    const owned = flow.find(partition.topic, partition.partition);
    if (owned !== undefined) flow.leftOver(owned, messages, bytes);
  }

  it("is still only when every partition is paused, and not without partitions", () => {
    expect(flow.isStill).toBe(false);
    flow.pause(A);
    expect(flow.isStill).toBe(false);
    flow.pause(B);
    flow.pause(B);
    expect(flow.isStill).toBe(true);
    flow.resume(A);
    flow.resume(A);
    expect(flow.isStill).toBe(false);
    flow.remove(A);
    expect(flow.isStill).toBe(true);
    flow.remove(B);
    expect(flow.isStill).toBe(false);
  });

  it("does not tell the client of a pause that is soon over", () => {
    flow.pause(A);
    bring(A, 2_000);
    flow.resume(A);
    expect(calls).toEqual([]);
  });

  it("tells the client when a paused partition brings too many records, once", () => {
    flow.pause(A);
    bring(A, 2_000);
    bring(A, 1);
    bring(A, 500);
    expect(calls).toEqual(["pause 0"]);
    flow.resume(A);
    expect(calls).toEqual(["pause 0", "resume 0"]);
  });

  it("tells the client when a paused partition brings too many bytes", () => {
    flow.pause(B);
    bring(B, 1, 1_048_577);
    expect(calls).toEqual(["pause 1"]);
  });

  it("counts anew after every resume", () => {
    for (let times = 0; times < 3; times += 1) {
      flow.pause(A);
      bring(A, 1_500);
      flow.resume(A);
    }
    expect(calls).toEqual([]);
  });

  it("keeps a pause through a change of ownership, but not the client's", () => {
    flow.pause(A);
    bring(A, 3_000);
    flow.remove(A);
    expect(calls).toEqual(["pause 0", "resume 0"]);
    flow.add(A);
    expect(flow.find("t", 0)).toMatchObject({ isPaused: true, isHeld: false, leftOverMessages: 0 });
  });

  it("takes pauses of partitions that it does not own yet", () => {
    flow.pause({ topic: "u", partition: 0 });
    flow.add({ topic: "u", partition: 0 });
    expect(flow.find("u", 0)?.isPaused).toBe(true);
    flow.resume({ topic: "u", partition: 0 });
    expect(flow.find("u", 0)?.isPaused).toBe(false);
  });

  it("does nothing when the client is not connected", () => {
    const refuse = (): never => {
      throw new Error("Client is disconnected");
    };
    flow.attach({ pause: refuse, resume: refuse });
    flow.pause(A);
    bring(A, 3_000);
    expect(flow.find("t", 0)?.isHeld).toBe(false);
  });
});
