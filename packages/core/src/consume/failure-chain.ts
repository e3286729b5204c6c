import { backOffMs } from "../adapter/back-off.ts";
import { wait } from "../adapter/wait.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type {
  DeadLetterPolicy,
  Failure,
  FailureDecision,
  RetryPolicy,
} from "../contracts/failure.ts";
import type { SettledOutcome } from "../contracts/observer.ts";
import type { HandlerSlot, SubscriptionSpec } from "../contracts/scheduler.ts";
import type { BusReporter } from "../observe/bus-reporter.ts";
import { decideWithoutPlugin, retryForEver } from "./retry-for-ever.ts";

/** Back-off between attempts to store a dead letter, in milliseconds. */
const DEAD_LETTER_BACK_OFF = Object.freeze({ baseMs: 500, maxMs: 30_000, jitter: 0.2 });

/** A failed run, and how to run it again. */
export interface FailedRun {
  readonly delivery: Delivery;
  readonly error: unknown;
  readonly stage: Failure["stage"];
  readonly attempt: number;
  /** What the run occupies; given back while it waits. */
  readonly slot: HandlerSlot | undefined;
  /** Run the handler once more; resolves to `undefined` on success, to the failure otherwise. Never rejects. */
  readonly again: (attempt: number) => Promise<FailedAttempt | undefined>;
}

/** Why one run failed. */
export interface FailedAttempt {
  readonly error: unknown;
  readonly stage: Failure["stage"];
}

/** Ends a delivery; the only way to do so inside core. */
export type Finish = (
  delivery: Delivery,
  outcome: SettledOutcome,
  redeliverAfterMs?: number,
) => void;

/** What the failure chain of one subscription is made of. */
export interface FailureChainParts {
  readonly spec: SubscriptionSpec;
  readonly clock: Clock;
  readonly random: () => number;
  readonly reporter: BusReporter;
  readonly finish: Finish;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly deadLetterPolicy: DeadLetterPolicy | undefined;
  /** Longest delay that the transport can carry; set only where giving the slot back costs no order. */
  readonly nackUpToMs: number | undefined;
}

/**
 * What happens after a handler failed: classify → retry in place → dead letter → settle. Entered only on failure, inside
 * the scheduler's run, so that a failing message holds its own key or partition and nothing else: the scheduler's slot
 * is given back while it waits, and for good once it is a dead letter, since storing one runs no handler.
 */
export class FailureChain {
  readonly #parts: FailureChainParts;

  constructor(parts: FailureChainParts) {
    this.#parts = parts;
  }

  /** Bring a failed delivery to its settlement, however long that takes. Never rejects. */
  async handle(run: FailedRun): Promise<void> {
    const { clock, reporter } = this.#parts;
    const firstFailedAtMs = clock.now();
    let attempt = run.attempt;
    let failed: FailedAttempt | undefined = run;
    reporter.failing(run.delivery, this.#parts.spec);
    while (failed !== undefined) {
      const failure: Failure = {
        delivery: run.delivery,
        subscription: this.#parts.spec,
        error: failed.error,
        stage: failed.stage,
        attempt,
        firstFailedAtMs,
        lastFailedAtMs: clock.now(),
      };
      if (await this.#settledBy(failure, run.slot)) return;
      attempt++;
      failed = await run.again(attempt);
    }
    this.#finish(run.delivery, "ack");
  }

  /** Carry out the decision on one failure; `false` asks for another run. */
  async #settledBy(failure: Failure, slot: HandlerSlot | undefined): Promise<boolean> {
    const { delivery } = failure;
    if (delivery.draining.aborted) return this.#finish(delivery, "aborted");
    const decision = this.#decide(failure);
    this.#parts.reporter.failed(failure, decision);
    switch (decision.kind) {
      case "skip":
        return this.#finish(delivery, "skipped");
      case "deadLetter":
        return this.#storeDeadLetter(failure, decision.errorClass, slot);
      case "retry":
        return this.#holdForRetry(failure, decision.afterMs, slot);
      default:
        return decision satisfies never;
    }
  }

  async #holdForRetry(
    { delivery }: Failure,
    afterMs: number,
    slot: HandlerSlot | undefined,
  ): Promise<boolean> {
    const { clock, nackUpToMs } = this.#parts;
    const { draining } = delivery;
    if (nackUpToMs !== undefined && afterMs <= nackUpToMs)
      return this.#finish(delivery, "nack", afterMs);
    slot?.giveBack();
    const isDue = await wait(clock, afterMs, draining);
    if (isDue && (slot === undefined || (await slot.takeAgain(draining)))) return false;
    return this.#finish(delivery, "aborted");
  }

  async #storeDeadLetter(
    failure: Failure,
    errorClass: string,
    slot: HandlerSlot | undefined,
  ): Promise<boolean> {
    const { clock, random, reporter, spec, deadLetterPolicy } = this.#parts;
    const { delivery } = failure;
    if (deadLetterPolicy === undefined)
      return this.#holdForRetry(failure, retryForEver(failure, random).afterMs, slot);
    slot?.giveBack();
    for (let attempt = 1; !delivery.draining.aborted; attempt++) {
      try {
        await deadLetterPolicy(failure, errorClass);
        reporter.deadLettered(delivery, spec, errorClass);
        return this.#finish(delivery, "dead_lettered");
      } catch (error) {
        reporter.deadLetterFailed(failure, errorClass, error);
        await wait(clock, backOffMs(attempt, DEAD_LETTER_BACK_OFF, random), delivery.draining);
      }
    }
    return this.#finish(delivery, "aborted");
  }

  #decide(failure: Failure): FailureDecision {
    const { retryPolicy, reporter, random } = this.#parts;
    if (retryPolicy === undefined) return decideWithoutPlugin(failure, random);
    try {
      return retryPolicy(failure);
    } catch (error) {
      reporter.defect("a retry policy threw; the message is retried for ever", error);
      return retryForEver(failure, random);
    }
  }

  #finish(delivery: Delivery, outcome: SettledOutcome, redeliverAfterMs?: number): true {
    this.#parts.reporter.recovered(delivery);
    this.#parts.finish(delivery, outcome, redeliverAfterMs);
    return true;
  }
}
