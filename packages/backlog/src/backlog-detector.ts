import { BusClosedError, BusError, BusTransportError } from "@bus/core";
import type { BacklogSource, BacklogVerdict, Clock, Logger } from "@bus/core";
import type { BacklogReport } from "./backlog-report.ts";
import type { LagPoller, Poll } from "./lag-poller.ts";
import { Listeners } from "./listeners.ts";
import { lagRates } from "./rates.ts";
import type { LagSnapshot } from "./rates.ts";
import { unlessAborted } from "./unless-aborted.ts";
import { groupVerdicts, totalLag, worstVerdict } from "./verdict.ts";
import type { LagLimits } from "./verdict.ts";

/** When checks run and what they are judged by. */
export interface DetectorOptions extends LagLimits {
  readonly checkIntervalMs: number;
  readonly checkTimeoutMs: number;
  readonly checkJitter: number;
}

/** What a detector borrows. */
export interface DetectorParts {
  readonly poller: Pick<LagPoller, "poll">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

/** Checks for a backlog at intervals and on demand, one check at a time, and tells whoever listens. */
export class BacklogDetector implements BacklogSource {
  readonly backlogListeners: Listeners<BacklogReport>;
  readonly clearListeners: Listeners<BacklogReport>;
  readonly checkListeners: Listeners<BacklogReport>;
  readonly #options: DetectorOptions;
  readonly #parts: DetectorParts;
  readonly #closed = new AbortController();
  #report: BacklogReport | undefined;
  #snapshot: LagSnapshot | undefined;
  /** The newest verdict that was not `unknown`: edges are between these. */
  #decided: BacklogVerdict | undefined;
  #checking: Promise<BacklogReport> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: DetectorOptions, parts: DetectorParts) {
    this.#options = options;
    this.#parts = parts;
    this.backlogListeners = new Listeners("onBacklog", parts.logger);
    this.clearListeners = new Listeners("onClear", parts.logger);
    this.checkListeners = new Listeners("onCheck", parts.logger);
  }

  get verdict(): BacklogVerdict {
    return this.#report?.verdict ?? "unknown";
  }

  /** What the newest check found; `undefined` before the first. */
  get report(): BacklogReport | undefined {
    return this.#report;
  }

  onCheck(listener: (verdict: BacklogVerdict) => void): () => void {
    return this.checkListeners.add(({ verdict }) => listener(verdict));
  }

  /** Check now and then at every interval. Idempotent. */
  start(): void {
    if (this.#cancelTimer === undefined && !this.#closed.signal.aborted) this.#schedule(0);
  }

  async check(signal?: AbortSignal): Promise<BacklogVerdict> {
    return (await this.checkInDetail(signal)).verdict;
  }

  /**
   * Check now, or share the check that runs.
   *
   * @throws BusError `BUS_ABORTED` when the signal aborts first; the check goes on for others. `BUS_CLOSED` after close.
   */
  checkInDetail(signal?: AbortSignal): Promise<BacklogReport> {
    if (this.#closed.signal.aborted)
      return Promise.reject(new BusClosedError("cannot check for a backlog: the bus is closed"));
    if (this.#checking === undefined) {
      const ended = (): void => void (this.#checking = undefined);
      this.#checking = this.#check().finally(ended);
    }
    if (signal === undefined) return this.#checking;
    return unlessAborted(
      this.#checking,
      signal,
      (cause) => new BusError("BUS_ABORTED", "the check for a backlog was aborted", { cause }),
    );
  }

  /** End the check that runs, and every further one. Leaves no timer. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#closed.abort(new BusClosedError("the bus was closed"));
    await this.#checking;
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer = this.#parts.clock.schedule(() => {
      const { checkIntervalMs, checkJitter } = this.#options;
      // From the beginning of one check to that of the next; one that is still running then is shared.
      this.#schedule(checkIntervalMs * (1 + checkJitter * this.#parts.random()));
      this.checkInDetail().catch((error: unknown) =>
        this.#parts.logger.error("a check for a backlog failed", { error }),
      );
    }, delayMs);
  }

  /** Never rejects. */
  async #check(): Promise<BacklogReport> {
    const { clock } = this.#parts;
    const startedAtMs = clock.monotonicMs();
    const poll = await this.#pollInTime();
    const snapshot: LagSnapshot = { takenAtMs: clock.monotonicMs(), partitions: poll.partitions };
    const groups = groupVerdicts(poll.groups, poll, this.#options);
    const report: BacklogReport = Object.freeze({
      verdict: worstVerdict(groups.map(({ verdict }) => verdict)),
      checkedAtMs: clock.now(),
      durationMs: snapshot.takenAtMs - startedAtMs,
      groups,
      partitions: poll.partitions,
      unknown: poll.unknown,
      totalLagMessages: totalLag(poll.partitions),
      ...lagRates(this.#snapshot, snapshot),
    });
    if (poll.partitions.length > 0) this.#snapshot = snapshot;
    if (!this.#closed.signal.aborted) this.#tell(report);
    return report;
  }

  async #pollInTime(): Promise<Poll> {
    const { checkTimeoutMs } = this.#options;
    const { clock, poller } = this.#parts;
    const deadline = new AbortController();
    const onClosed = (): void => deadline.abort(this.#closed.signal.reason);
    this.#closed.signal.addEventListener("abort", onClosed, { once: true });
    const cancel = clock.schedule(() => {
      const details = { checkTimeoutMs };
      deadline.abort(
        new BusTransportError(
          "BUS_TRANSPORT",
          `lag was not read within checkTimeoutMs ${checkTimeoutMs}`,
          { details },
        ),
      );
    }, checkTimeoutMs);
    try {
      return await poller.poll(deadline.signal);
    } finally {
      cancel();
      this.#closed.signal.removeEventListener("abort", onClosed);
    }
  }

  #tell(report: BacklogReport): void {
    const before = this.#decided;
    const { verdict } = report;
    this.#report = report;
    if (verdict !== "unknown") this.#decided = verdict;
    if (verdict === "backlog" && before !== "backlog") this.backlogListeners.tell(report);
    if (verdict === "clear" && before === "backlog") this.clearListeners.tell(report);
    this.checkListeners.tell(report);
  }
}
