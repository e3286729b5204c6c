import { vi } from "vitest";
import type { Mock } from "vitest";
import { manualClock } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";
import type { DeadLetterPolicy, RetryPolicy } from "../src/contracts/failure.ts";
import type { AnyHandler } from "../src/contracts/plugin.ts";
import type { RunDelivery } from "../src/contracts/scheduler.ts";
import { createDecoder } from "../src/consume/decode-message.ts";
import { FailureChain } from "../src/consume/failure-chain.ts";
import { createFinish, createRun } from "../src/consume/run-delivery.ts";
import { RunTimer } from "../src/consume/run-timer.ts";
import { RunningHandlers } from "../src/consume/running-handlers.ts";
import { BusReporter } from "../src/observe/bus-reporter.ts";
import { createInstruments } from "../src/observe/instruments.ts";
import { ObserverHub } from "../src/observe/observer-hub.ts";
import { defineTopic } from "../src/topics/define-topic.ts";

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const spec = {
  topic: "orders",
  group: "g",
  ordering: "partition",
  concurrency: 1,
  plugins: {},
} as const;

/** What a run differs in. */
export interface RunSetup {
  readonly clock?: ManualClock;
  readonly retryPolicy?: RetryPolicy;
  readonly deadLetterPolicy?: DeadLetterPolicy;
  readonly nackUpToMs?: number;
  readonly maxProcessingTimeMs?: number;
}

/** A run as a bus would wire it, on a manual clock, and what it reports to. */
export interface WiredRun {
  readonly run: RunDelivery;
  readonly running: RunningHandlers;
  readonly reporter: BusReporter;
  readonly overdue: Mock<() => void>;
}

/** Wire a handler. */
export function runOf(handler: AnyHandler, setup: RunSetup = {}): WiredRun {
  const clock = setup.clock ?? manualClock();
  const instruments = createInstruments();
  const hub = new ObserverHub(silent);
  const reporter = new BusReporter({ clock, logger: silent, instruments, hub });
  const counter = { add: () => undefined };
  const outcomes = {
    ack: counter,
    nack: counter,
    aborted: counter,
    dead_lettered: counter,
    skipped: counter,
  };
  const finish = createFinish({ spec, hub, reporter, outcomes });
  const overdue = vi.fn<() => void>();
  const running = new RunningHandlers({
    group: spec.group,
    clock,
    logger: silent,
    recovery: undefined,
    maxProcessingTimeMs: setup.maxProcessingTimeMs ?? 300_000,
    onOverdue: overdue,
  });
  const { retryPolicy, deadLetterPolicy, nackUpToMs } = setup;
  const failures = new FailureChain({
    spec,
    clock,
    random: () => 0,
    reporter,
    finish,
    retryPolicy,
    deadLetterPolicy,
    nackUpToMs,
  });
  const timer = new RunTimer({
    clock,
    processing: { record: () => undefined },
    endToEnd: { record: () => undefined },
  });
  const run = createRun({
    decode: createDecoder(defineTopic("orders")),
    handler,
    running,
    failures,
    finish,
    timer,
  });
  return { run, running, reporter, overdue };
}

/** Retry everything after the same wait. */
export const retryAfter =
  (afterMs: number): RetryPolicy =>
  () => ({ kind: "retry", afterMs, errorClass: "RETRYABLE" });
