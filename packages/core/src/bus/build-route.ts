import { AdmittingScheduler } from "../consume/admission.ts";
import { BatchScheduler } from "../consume/batch-scheduler.ts";
import type { BatchLimits } from "../consume/batch-scheduler.ts";
import { createDecoder } from "../consume/decode-message.ts";
import { FailureChain } from "../consume/failure-chain.ts";
import type { Finish } from "../consume/failure-chain.ts";
import { PartitionScheduler } from "../consume/partition-scheduler.ts";
import { createBatchRun } from "../consume/run-batch.ts";
import { createFinish, createRun } from "../consume/run-delivery.ts";
import type { RunParts } from "../consume/run-delivery.ts";
import { RunTimer } from "../consume/run-timer.ts";
import { RunningHandlers } from "../consume/running-handlers.ts";
import { UnorderedScheduler } from "../consume/unordered-scheduler.ts";
import type { BatchHandler, Message } from "../contracts/handler.ts";
import type { SettledOutcome } from "../contracts/observer.ts";
import type { AnyHandler } from "../contracts/plugin.ts";
import type {
  FlowControl,
  RunDelivery,
  Scheduler,
  SubscriptionSpec,
} from "../contracts/scheduler.ts";
import { RECOVERY } from "../contracts/service.ts";
import type { Topic } from "../contracts/topic.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import { BUS_METRICS } from "../observe/bus-metrics.ts";
import type { BusCore } from "./bus-core.ts";

/** One subscription, before it is wired. */
export interface RouteRequest {
  readonly topic: Topic<unknown, never>;
  readonly spec: SubscriptionSpec;
  readonly maxProcessingTimeMs: number;
  readonly flow: FlowControl;
}

/** A wired subscription. */
export interface WiredRoute {
  readonly scheduler: Scheduler;
  readonly running: RunningHandlers;
}

/** Wire a handler: admit → scheduler → decode → wrapped handler → settle, with the failure chain beside it. */
export function buildRoute(core: BusCore, request: RouteRequest, handler: AnyHandler): WiredRoute {
  const parts = runParts(core, request, handler);
  const scheduler = schedulerFor(core, request, createRun(parts));
  return { scheduler: admitting(core, request.spec, scheduler), running: parts.running };
}

/** Wire a batch handler: as `buildRoute`, with batches in place of the scheduler. */
export function buildBatchRoute(
  core: BusCore,
  request: RouteRequest,
  batch: BatchParts,
): WiredRoute {
  // Wrappers go around one message; around a batch they see its first, which here stands for all of it.
  const batches = new WeakMap<object, readonly Message<unknown>[]>();
  const parts = runParts(core, request, (message, context) =>
    batch.handler(batches.get(message) ?? [message], context),
  );
  const { decode, running, finish, timer } = parts;
  const handler: BatchHandler<unknown> = (messages, context) => {
    const [first] = messages;
    if (first === undefined) return undefined;
    batches.set(first, messages);
    return parts.handler(first, context);
  };
  const runBatch = createBatchRun({
    decode,
    handler,
    running,
    finish,
    timer,
    runOne: createRun(parts),
  });
  const scheduler = new BatchScheduler(runBatch, batch.limits, core.clock);
  return { scheduler: admitting(core, request.spec, scheduler), running };
}

/** A batch handler and when it is called. */
export interface BatchParts {
  readonly handler: BatchHandler<unknown>;
  readonly limits: BatchLimits;
}

function runParts(core: BusCore, request: RouteRequest, handler: AnyHandler): RunParts {
  const { spec, topic, maxProcessingTimeMs } = request;
  const { clock, logger, reporter, paths, random, diagnostics } = core;
  const finish = finishOf(core, spec);
  const running = new RunningHandlers({
    group: spec.group,
    clock,
    logger,
    recovery: core.services.find(RECOVERY),
    maxProcessingTimeMs,
    onOverdue: (delivery) => reporter.overdue(delivery, spec),
  });
  const { retryPolicy, deadLetterPolicy } = paths;
  // A nack gives the slot back; only without an order to keep is that better than waiting in place.
  const nackUpToMs =
    spec.ordering === "none"
      ? core.transport.capabilities.delayedRedelivery?.maxDelayMs
      : undefined;
  const failures = new FailureChain({
    spec,
    clock,
    random,
    reporter,
    finish,
    retryPolicy,
    deadLetterPolicy,
    nackUpToMs,
  });
  const timer = timerOf(core, spec);
  return {
    decode: createDecoder(topic),
    handler: diagnostics.traceHandler(paths.composeHandler(handler, spec), spec),
    running,
    failures,
    finish,
    timer,
  };
}

function timerOf({ clock, instruments, loopGuard }: BusCore, spec: SubscriptionSpec): RunTimer {
  const { topic, group } = spec;
  return new RunTimer({
    clock,
    processing: instruments.histogram(BUS_METRICS.processingSeconds, { topic, group }),
    endToEnd: instruments.histogram(BUS_METRICS.endToEndSeconds, { topic, group }),
    onLongRun: (delivery, tookMs) => loopGuard.ranLong(delivery, spec, tookMs),
  });
}

function finishOf(
  { hub, reporter, instruments, diagnostics }: BusCore,
  spec: SubscriptionSpec,
): Finish {
  const { topic, group } = spec;
  // What has not happened yet is 0: a counter that appears with its first count seems not to have grown.
  for (const metric of [BUS_METRICS.retries, BUS_METRICS.overdue, BUS_METRICS.duplicatesDropped])
    instruments.counter(metric, { topic, group });
  const counterOf = (outcome: SettledOutcome) =>
    instruments.counter(BUS_METRICS.consumed, { topic, group, outcome });
  const outcomes = {
    ack: counterOf("ack"),
    nack: counterOf("nack"),
    aborted: counterOf("aborted"),
    dead_lettered: counterOf("dead_lettered"),
    skipped: counterOf("skipped"),
  };
  const finish = createFinish({ spec, hub, reporter, outcomes });
  return (delivery, outcome, redeliverAfterMs) => {
    finish(delivery, outcome, redeliverAfterMs);
    diagnostics.settled(delivery, spec, outcome);
  };
}

function schedulerFor(core: BusCore, request: RouteRequest, run: RunDelivery): Scheduler {
  const { spec, flow } = request;
  const provided = core.paths.scheduler(spec.ordering);
  if (provided !== undefined) return provided(run, spec, flow);
  switch (spec.ordering) {
    case "partition":
      return new PartitionScheduler(run);
    case "none":
      return new UnorderedScheduler(run, spec.concurrency);
    case "key":
      throw new BusConfigError(
        "BUS_SERVICE_MISSING",
        `ordering key of topic ${spec.topic} needs a scheduler: install @bus/aggregate`,
        {
          details: { path: "ordering", value: "key", install: "@bus/aggregate" },
        },
      );
    default:
      return spec.ordering satisfies never;
  }
}

function admitting(
  { paths, reporter }: BusCore,
  spec: SubscriptionSpec,
  scheduler: Scheduler,
): Scheduler {
  if (paths.admits.length === 0) return scheduler;
  return new AdmittingScheduler(scheduler, { admits: paths.admits, spec, reporter });
}
