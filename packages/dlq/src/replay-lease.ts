import { BusTransportError } from "@bus/core";
import type { Clock, Logger } from "@bus/core";
import type { ReplayLog } from "./replay-log.ts";

/** Share of its time after which a lease that could not be renewed is not relied on any more. */
const SAFE_SHARE = 0.8;
/** A lease is renewed so many times in its time. */
const RENEWALS = 3;

/** What a lease is made of. */
export interface LeaseParts {
  readonly log: ReplayLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
  readonly run: string;
  readonly deadLetterTopic: string;
}

/** The right of one run to work on a dead-letter topic; renewed until it is released, free again soon after a crash. */
export class ReplayLease {
  readonly #parts: LeaseParts;
  #safeUntilMs = -Infinity;
  #cancelRenewal: () => void = () => undefined;
  #renewing: Promise<void> = Promise.resolve();
  #isReleased = false;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  /** Wait for whoever works on the topic, then take over. */
  async take(): Promise<void> {
    const { log, run } = this.#parts;
    do {
      await log.untilFree(run);
      await this.#ask();
      // Of several that asked at once the log's order lets one through; the others wait again.
    } while (log.state.holder?.run !== run);
    this.#scheduleRenewal();
  }

  /** @throws BusTransportError `BUS_FENCED` when the lease could not be renewed in time or somebody took over. */
  assertHeld(): void {
    const { clock, deadLetterTopic, run } = this.#parts;
    if (clock.monotonicMs() < this.#safeUntilMs) return;
    throw new BusTransportError(
      "BUS_FENCED",
      `run ${run} could not keep its lease on ${deadLetterTopic}; start it again to go on`,
      { details: { deadLetterTopic, run } },
    );
  }

  /** Let others work on the topic. */
  async release(): Promise<void> {
    const { log, run, clock } = this.#parts;
    this.#isReleased = true;
    this.#cancelRenewal();
    await this.#renewing;
    await log.append([[keyOf(run), { kind: "released", run, atMs: clock.now() }]]);
  }

  async #ask(): Promise<void> {
    const { log, run, clock, leaseMs } = this.#parts;
    const askedAtMs = clock.monotonicMs();
    const atMs = clock.now();
    await log.append([[keyOf(run), { kind: "lease", run, atMs, untilMs: atMs + leaseMs }]]);
    if (log.state.holder?.run === run) this.#safeUntilMs = askedAtMs + leaseMs * SAFE_SHARE;
    else this.#safeUntilMs = -Infinity;
  }

  #scheduleRenewal(): void {
    const { clock, leaseMs } = this.#parts;
    this.#cancelRenewal = clock.schedule(() => {
      this.#renewing = this.#renew();
    }, leaseMs / RENEWALS);
  }

  async #renew(): Promise<void> {
    try {
      await this.#ask();
    } catch (error) {
      // Tried again in time, or `assertHeld` ends the run.
      this.#parts.logger.warn("a replay lease could not be renewed", { error });
    }
    if (!this.#isReleased) this.#scheduleRenewal();
  }
}

function keyOf(run: string): string {
  return `run/${run}`;
}
