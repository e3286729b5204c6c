import type { BusError } from "@bus/core";
import { InFlightGate } from "@bus/core/adapter";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import { OwnedPartition } from "../src/owned-partition.ts";
import { Inbox } from "./fake-records.ts";

/** What a partition told its subscription. */
export interface Heard {
  readonly flow: boolean[];
  readonly moved: (number | undefined)[];
  readonly duplicates: number[];
  readonly stalled: BusError[];
  readonly readAgain: number[];
  readonly recovered: (number | undefined)[];
  readonly skipped: { readonly from: number; readonly to: number }[];
  acknowledged: number;
}

/** What a partition under test is bound by. */
export interface Bounds {
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly maxUncommitted?: number;
  readonly mayBeSkipped?: readonly { readonly from: number; readonly to: number }[];
}

/** A partition under test, with the clock that it goes by. */
export interface PartitionLab {
  readonly partition: OwnedPartition;
  readonly clock: ManualClock;
  readonly inbox: Inbox;
  readonly heard: Heard;
}

/** Partition 0 of `topic`, owned. */
export function ownPartition(bounds: Bounds = {}): PartitionLab {
  const { maxMessages = 100, maxBytes = 1_000_000, maxUncommitted = 1_000 } = bounds;
  const clock = manualClock();
  const inbox = new Inbox();
  const heard: Heard = {
    flow: [],
    moved: [],
    duplicates: [],
    stalled: [],
    readAgain: [],
    recovered: [],
    skipped: [],
    acknowledged: 0,
  };
  const partition = new OwnedPartition({
    topic: "topic",
    partition: 0,
    gate: new InFlightGate({ maxMessages, maxBytes }),
    clock,
    random: () => 0,
    deliver: inbox.deliver,
    maxUncommittedMessages: maxUncommitted,
    mayBeSkipped: bounds.mayBeSkipped ?? [],
    listener: {
      flowChanged: ({ isFetching }) => void heard.flow.push(isFetching),
      acknowledged: () => void (heard.acknowledged += 1),
      moved: ({ position }) => void heard.moved.push(position),
      duplicates: (_, count) => void heard.duplicates.push(count),
      stalled: (_, error) => void heard.stalled.push(error),
      readAgain: (_, offset) => void heard.readAgain.push(offset),
      recovered: ({ nextFetch }) => void heard.recovered.push(nextFetch),
      skipped: (_, range) => void heard.skipped.push(range),
    },
  });
  return { partition, clock, inbox, heard };
}
