import { messageSizeBytes } from "@bus/core/adapter";
import type { BacklogVerdict, Clock, OutgoingMessage, PublishFunction } from "@bus/core";

/** How hard the publish path is pressed, mildest first. */
export const SEVERITIES: readonly ["normal", "low", "medium", "high", "critical"] = Object.freeze([
  "normal",
  "low",
  "medium",
  "high",
  "critical",
] as const);

/** How hard the publish path is pressed. */
export type Severity = (typeof SEVERITIES)[number];

/** Where each severity begins, as a share of a limit. */
const SEVERITY_STEPS: readonly (readonly [share: number, severity: Severity])[] = [
  [2, "critical"],
  [1, "high"],
  [0.75, "medium"],
  [0.5, "low"],
];

/** What the publish path may hold before it counts as a backlog. */
export interface PublisherLimits {
  readonly maxBufferedMessages: number;
  readonly maxBufferedBytes: number;
  readonly maxOldestMs: number;
  readonly maxLatencyMs: number;
  readonly maxMessagesPerSecond?: number | undefined;
}

/** The publish path, measured. */
export interface PublisherLoad {
  /** Messages handed over and not yet acknowledged or refused. */
  readonly bufferedMessages: number;
  readonly bufferedBytes: number;
  /** Age of the publish call that has waited longest; 0 when none waits. */
  readonly oldestMs: number;
  /** Mean time to the acknowledgement, over the calls that ended in the last window; 0 when none did. */
  readonly latencyMs: number;
  /** Messages handed over per second, over the last window. */
  readonly messagesPerSecond: number;
}

/** The publish path, measured and judged. */
export interface PublisherReport extends PublisherLoad {
  readonly severity: Severity;
  /** `backlog` from severity `high` on: a limit is reached. */
  readonly verdict: BacklogVerdict;
  /** The measure nearest to its limit, or furthest beyond it. */
  readonly worst: keyof PublisherLoad;
  /** That measure as a share of its limit. */
  readonly share: number;
}

/** Judge a load: the measure nearest to its limit decides. */
export function judgeLoad(load: PublisherLoad, limits: PublisherLimits): PublisherReport {
  const shares: readonly (readonly [keyof PublisherLoad, number])[] = [
    ["bufferedMessages", load.bufferedMessages / limits.maxBufferedMessages],
    ["bufferedBytes", load.bufferedBytes / limits.maxBufferedBytes],
    ["oldestMs", load.oldestMs / limits.maxOldestMs],
    ["latencyMs", load.latencyMs / limits.maxLatencyMs],
    [
      "messagesPerSecond",
      load.messagesPerSecond / (limits.maxMessagesPerSecond ?? Number.POSITIVE_INFINITY),
    ],
  ];
  const [worst, share] = shares.reduce((most, next) => (next[1] > most[1] ? next : most));
  const severity = SEVERITY_STEPS.find(([from]) => share >= from)?.[1] ?? "normal";
  return { ...load, severity, verdict: share >= 1 ? "backlog" : "clear", worst, share };
}

interface Pending {
  readonly startedAtMs: number;
  readonly messages: number;
  readonly bytes: number;
}

/** Measures the publish path from its entrance: what was handed over, how long the answers take. */
export class PublisherPressure {
  readonly #clock: Clock;
  readonly #limits: PublisherLimits;
  /** In the order in which they began. */
  readonly #pending = new Set<Pending>();
  #bufferedMessages = 0;
  #bufferedBytes = 0;
  #windowStartedAtMs: number;
  #windowMessages = 0;
  #windowEnded = 0;
  #windowWaitedMs = 0;
  #latencyMs = 0;
  #messagesPerSecond = 0;

  constructor(limits: PublisherLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#windowStartedAtMs = clock.monotonicMs();
  }

  /** Goes around the publish path; changes nothing on it. */
  wrap(next: PublishFunction): PublishFunction {
    return async (messages) => {
      const pending = this.#begin(messages);
      try {
        return await next(messages);
      } finally {
        this.#end(pending);
      }
    };
  }

  /** The load now; latency and rate are those of the last closed window. */
  report(): PublisherReport {
    const [oldest] = this.#pending;
    const load: PublisherLoad = {
      bufferedMessages: this.#bufferedMessages,
      bufferedBytes: this.#bufferedBytes,
      oldestMs: oldest === undefined ? 0 : this.#clock.monotonicMs() - oldest.startedAtMs,
      latencyMs: this.#latencyMs,
      messagesPerSecond: this.#messagesPerSecond,
    };
    return judgeLoad(load, this.#limits);
  }

  /** End the window over which latency and rate are taken, and begin the next one. */
  closeWindow(): void {
    const nowMs = this.#clock.monotonicMs();
    const windowMs = nowMs - this.#windowStartedAtMs;
    if (windowMs <= 0) return;
    this.#latencyMs = this.#windowEnded === 0 ? 0 : this.#windowWaitedMs / this.#windowEnded;
    this.#messagesPerSecond = (this.#windowMessages * 1000) / windowMs;
    this.#windowStartedAtMs = nowMs;
    this.#windowMessages = 0;
    this.#windowEnded = 0;
    this.#windowWaitedMs = 0;
  }

  #begin(messages: readonly OutgoingMessage[]): Pending {
    let bytes = 0;
    for (const message of messages) bytes += messageSizeBytes(message);
    const pending = { startedAtMs: this.#clock.monotonicMs(), messages: messages.length, bytes };
    this.#pending.add(pending);
    this.#bufferedMessages += pending.messages;
    this.#bufferedBytes += bytes;
    this.#windowMessages += pending.messages;
    return pending;
  }

  #end(pending: Pending): void {
    this.#pending.delete(pending);
    this.#bufferedMessages -= pending.messages;
    this.#bufferedBytes -= pending.bytes;
    this.#windowEnded++;
    this.#windowWaitedMs += this.#clock.monotonicMs() - pending.startedAtMs;
  }
}
