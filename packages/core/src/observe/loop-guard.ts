import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { Instruments } from "../contracts/instruments.ts";
import type { Logger } from "../contracts/logger.ts";
import type { SubscriptionSpec } from "../contracts/scheduler.ts";
import { BUS_METRICS } from "./bus-metrics.ts";

/** What a guard needs. */
export interface LoopGuardParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** A block is told when it surely lasted three quarters of this, so that it is told in time. */
  readonly blockedAfterMs: number;
}

/** A time in which the event loop ran nothing else, and the handler that ran then, when it was timed. */
export interface LoopBlock {
  readonly lastedMs: number;
  /** On the monotonic clock. */
  readonly endedMs: number;
  readonly handler: string | undefined;
}

interface LongRun {
  readonly handler: string;
  readonly tookMs: number;
  readonly endedMs: number;
}

/** For so long a block keeps the bus degraded, in milliseconds. */
const REMEMBERED_MS = 60_000;
const LONGEST_TICK_MS = 1_000;
const TICKS_PER_LIMIT = 4;

/**
 * Notices that something has blocked the event loop: a timer that should run every so often comes late. While it is
 * blocked no client can tell its broker that this process is alive, and no health check is answered.
 */
export class LoopGuard {
  readonly tickMs: number;
  readonly blockedAfterMs: number;
  readonly #parts: LoopGuardParts;
  #lastTickMs: number | undefined;
  #longest: LoopBlock | undefined;
  #longRun: LongRun | undefined;

  constructor(parts: LoopGuardParts) {
    this.#parts = parts;
    this.blockedAfterMs = parts.blockedAfterMs;
    this.tickMs = Math.min(LONGEST_TICK_MS, Math.floor(parts.blockedAfterMs / TICKS_PER_LIMIT));
    const gauge = parts.instruments.gauge(BUS_METRICS.loopBlocked);
    parts.instruments.onRead(() => gauge.set((this.lately?.lastedMs ?? 0) / 1000));
  }

  /** The longest block within the last minute. */
  get lately(): LoopBlock | undefined {
    const longest = this.#longest;
    if (longest === undefined) return undefined;
    return this.#parts.clock.monotonicMs() - longest.endedMs < REMEMBERED_MS ? longest : undefined;
  }

  /** A handler did not return to the event loop for long. */
  ranLong(delivery: Delivery, { group }: SubscriptionSpec, tookMs: number): void {
    const { topic, partition, offset } = delivery;
    const endedMs = this.#parts.clock.monotonicMs();
    const longest = this.#longRun;
    // Until the next tick the longest run counts, whatever ran after it.
    if (longest !== undefined && longest.endedMs >= (this.#lastTickMs ?? 0))
      if (longest.tookMs >= tookMs) return;
    this.#longRun = { handler: `${topic}/${partition}@${offset} of ${group}`, tookMs, endedMs };
  }

  /** Called every `tickMs` while the event loop is free. */
  tick(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const lastTickMs = this.#lastTickMs;
    this.#lastTickMs = nowMs;
    if (lastTickMs === undefined) return;
    const lateMs = nowMs - lastTickMs - this.tickMs;
    if (lateMs + this.tickMs < this.#parts.blockedAfterMs || lateMs <= 0) return;
    this.#blocked(lateMs, nowMs, lastTickMs);
  }

  #blocked(lateMs: number, nowMs: number, lastTickMs: number): void {
    const run = this.#longRun;
    const handler = run !== undefined && run.endedMs > lastTickMs ? run : undefined;
    const block = {
      lastedMs: handler?.tookMs ?? lateMs,
      endedMs: nowMs,
      handler: handler?.handler,
    };
    this.#parts.logger.warn("the event loop was blocked", {
      lastedMs: Math.round(block.lastedMs),
      handler: block.handler ?? "unknown",
    });
    if (block.lastedMs >= (this.lately?.lastedMs ?? 0)) this.#longest = block;
  }
}
