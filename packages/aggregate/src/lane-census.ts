import type { ReturningRun } from "@bus/core/adapter";
import { aggregateIdOf } from "./aggregate-id.ts";
import type { Lane } from "./lane.ts";
import type { LaneCounts } from "./lane-set.ts";
import { QueuedMessage } from "./queued-message.ts";

/** The load of the lanes now. */
export interface LaneNumbers extends LaneCounts {
  /** Handlers running, over lanes and direct runs. */
  readonly running: number;
  /** Messages that failed and wait: for their next attempt, or until their dead letter is stored. They need no handler. */
  readonly retrying: number;
  /** Messages that wait for a handler. */
  readonly queued: number;
  /** Age of the message that has waited longest; 0 when none waits. */
  readonly oldestWaitMs: number;
}

/** An aggregate with much to do; for people who look for what holds a service up, never for metric labels. */
export interface HotAggregate {
  readonly aggregateId: string;
  /** The topic of its newest message. */
  readonly topic: string;
  /** Messages that wait for a handler. */
  readonly queued: number;
  /** Messages begun and not settled, whether their handler runs or they wait after a failure: at most 1 in order. */
  readonly running: number;
  /** Age of its message that has waited longest; 0 when none waits. */
  readonly oldestWaitMs: number;
}

/** Count what waits, message by message; the pool's own counter must agree. */
export function countQueue(
  lanes: Iterable<Lane>,
  ready: Iterable<Lane | QueuedMessage | ReturningRun>,
  nowMs: number,
): { readonly queued: number; readonly oldestWaitMs: number } {
  let queued = 0;
  let oldestWaitMs = 0;
  for (const lane of lanes) {
    queued += lane.size;
    oldestWaitMs = Math.max(oldestWaitMs, waitOf(lane.head, nowMs));
  }
  for (const item of ready) {
    if (!(item instanceof QueuedMessage) || item.delivery === undefined) continue;
    queued++;
    oldestWaitMs = Math.max(oldestWaitMs, waitOf(item, nowMs));
  }
  return { queued, oldestWaitMs };
}

/** The busy aggregates with most messages queued, most first; the longest wait first among equals. */
export function hottestOf(
  lanes: Iterable<Lane>,
  count: number,
  nowMs: number,
): readonly HotAggregate[] {
  const busy: HotAggregate[] = [];
  for (const lane of lanes) {
    if (!lane.busy) continue;
    busy.push({
      aggregateId: aggregateIdOf(lane.key),
      topic: lane.intake?.topic ?? "",
      queued: lane.size,
      running: lane.state === "running" ? 1 : lane.overlapping,
      oldestWaitMs: waitOf(lane.head, nowMs),
    });
  }
  return busy
    .toSorted((one, other) => other.queued - one.queued || other.oldestWaitMs - one.oldestWaitMs)
    .slice(0, count);
}

function waitOf(entry: QueuedMessage | undefined, nowMs: number): number {
  return entry === undefined ? 0 : nowMs - entry.queuedAtMs;
}
