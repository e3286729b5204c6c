import { manualClock } from "@bus/testkit";
import type { TopicPartition } from "@bus/core";
import { BusTransportError } from "@bus/core";
import { expect, test } from "vitest";
import { PartitionFlow } from "./partition-flow.ts";
import { UnreadableWatch } from "./unreadable-watch.ts";

const ERROR = new BusTransportError("BUS_CORRUPT", "decompression failed");

/** Three partitions of which 100 records exist each. */
function lab() {
  const clock = manualClock();
  const flow = new PartitionFlow();
  const told: number[] = [];
  for (const partition of [0, 1, 2]) flow.add({ topic: "t", partition });
  const stand = (partition: number, position: number): void => {
    const owned = flow.find("t", partition);
    if (owned !== undefined) owned.position = position;
  };
  const onUnreadable = ({ partition }: TopicPartition): void => void told.push(partition);
  const watch = new UnreadableWatch({ clock, flow, onUnreadable });
  const fail = (): void =>
    watch.failed({ getWatermarkOffsets: () => ({ highOffset: 100 }) }, ERROR);
  return { clock, flow, told, stand, watch, fail };
}

test("the partition that stands still between two errors is the one that cannot be read", () => {
  const { clock, told, stand, fail } = lab();
  stand(0, 10);
  stand(1, 20);
  stand(2, 100);
  fail();
  expect(told).toEqual([]);
  clock.advance(500);
  stand(1, 25);
  fail();
  expect(told).toEqual([0]);
});

test("errors that come together tell nothing yet", () => {
  const { clock, told, stand, fail } = lab();
  stand(0, 10);
  fail();
  clock.advance(100);
  fail();
  expect(told).toEqual([]);
  clock.advance(300);
  fail();
  expect(told).toEqual([0]);
});

test("a partition that is paused, or of which nothing is known, is not suspected", () => {
  const { clock, flow, told, stand, fail } = lab();
  stand(0, 10);
  flow.pause({ topic: "t", partition: 0 });
  fail();
  clock.advance(1_000);
  fail();
  expect(told).toEqual([]);
});

test("only errors of reading records are looked into", () => {
  const { watch } = lab();
  const coded = (code: number): Error => Object.assign(new Error("x"), { code });
  expect([-199, -198, -170, -165, 2, 10].map((code) => watch.isReadError(coded(code)))).toEqual(
    Array.from({ length: 6 }, () => true),
  );
  expect([-195, 3, 27].some((code) => watch.isReadError(coded(code)))).toBe(false);
});
