import { ACK, RELEASE } from "../contracts/delivery.ts";
import type { Delivery, Settlement } from "../contracts/delivery.ts";
import type { Counter } from "../contracts/instruments.ts";
import type { SettledOutcome } from "../contracts/observer.ts";
import type { AnyHandler } from "../contracts/plugin.ts";
import type { RunDelivery, SubscriptionSpec } from "../contracts/scheduler.ts";
import type { BusReporter } from "../observe/bus-reporter.ts";
import type { ObserverHub } from "../observe/observer-hub.ts";
import type { DecodeMessage } from "./decode-message.ts";
import type { FailedAttempt, FailureChain, Finish } from "./failure-chain.ts";
import type { RunTimer } from "./run-timer.ts";
import type { HandlerRun, RunningHandlers } from "./running-handlers.ts";

/** What a run of one subscription is made of; everything composed once. */
export interface RunParts {
  readonly decode: DecodeMessage;
  readonly handler: AnyHandler;
  readonly running: RunningHandlers;
  readonly failures: FailureChain;
  readonly finish: Finish;
  readonly timer: RunTimer;
}

/**
 * Make the step that turns a delivery into a settlement: decode → handler → settle; on failure the failure chain.
 *
 * The success path is this one function: two objects and two promises a message (the run's and the handler's).
 */
export function createRun(parts: RunParts): RunDelivery {
  const { decode, handler, running, failures, finish, timer } = parts;

  async function again(delivery: Delivery, attempt: number): Promise<FailedAttempt | undefined> {
    let stage: FailedAttempt["stage"] = "decode";
    const run = running.begin(delivery, attempt);
    try {
      const message = await decode(delivery);
      stage = "handler";
      await handler(message, run);
      return undefined;
    } catch (error) {
      return { error: blame(run, error), stage };
    } finally {
      running.end(run);
    }
  }

  return async function runDelivery(delivery, slot) {
    if (delivery.draining.aborted) return finish(delivery, "aborted");
    let stage: FailedAttempt["stage"] = "decode";
    const run = running.begin(delivery, delivery.attempt);
    const timed = timer.begin();
    try {
      const decoded = decode(delivery);
      const message = decoded instanceof Promise ? await decoded : decoded;
      stage = "handler";
      const pending = handler(message, run);
      if (timed !== undefined && decoded === message) timer.returned(timed, delivery);
      if (pending !== undefined) await pending;
    } catch (error) {
      running.end(run);
      const { attempt } = delivery;
      const failed = { delivery, error: blame(run, error), stage, attempt };
      return failures.handle({ ...failed, slot, again: (next) => again(delivery, next) });
    }
    running.end(run);
    if (timed !== undefined) timer.end(timed, delivery);
    return finish(delivery, "ack");
  };
}

/** A handler that was told to stop by its deadline failed by that deadline, whatever it threw. */
function blame(run: HandlerRun, error: unknown): unknown {
  return run.timedOut ?? error;
}

/** What settling needs to tell. */
export interface FinishParts {
  readonly spec: SubscriptionSpec;
  readonly hub: ObserverHub;
  readonly reporter: BusReporter;
  /** The counter of each outcome, looked up once. */
  readonly outcomes: Readonly<Record<SettledOutcome, Counter>>;
}

/** Make the one function that turns an outcome into a settlement. */
export function createFinish({ spec, hub, reporter, outcomes }: FinishParts): Finish {
  const acknowledged = outcomes.ack;
  return function finish(delivery, outcome, redeliverAfterMs) {
    try {
      delivery.settle(settlementOf(outcome, redeliverAfterMs));
    } catch (error) {
      reporter.defect("a transport refused a settlement", error);
    }
    // The outcome of nearly every message, without a look-up by name.
    if (outcome === "ack") acknowledged.add(1);
    else outcomes[outcome].add(1);
    if (hub.wantsSettled) hub.notify("settled", delivery, spec, outcome);
  };
}

function settlementOf(outcome: SettledOutcome, redeliverAfterMs: number | undefined): Settlement {
  if (outcome === "ack") return ACK;
  if (outcome === "aborted") return RELEASE;
  if (outcome === "nack") return { kind: "nack", redeliverAfterMs: redeliverAfterMs ?? 0 };
  return ACK;
}
