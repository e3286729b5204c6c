import { randomUUID } from "node:crypto";
import type { DeskCall } from "./dead-letter-desk.ts";
import type { ResolvedDiscard, ResolvedReplay } from "./dead-letter-requests.ts";
import { REQUEST_DEFAULTS } from "./dead-letter-requests.ts";
import { DeadLetterRun } from "./dead-letter-run.ts";
import type { LetterWork, RunCounts } from "./dead-letter-run.ts";
import type { RunReport } from "./dead-letters.ts";
import { DiscardLetters } from "./discard-letters.ts";
import { DLQ_METRICS } from "./dlq-metrics.ts";
import { Pacer } from "./pacer.ts";
import { ReplayLease } from "./replay-lease.ts";
import { ReplayLetters } from "./replay-letters.ts";
import type { ReplayFailure } from "./replay-letters.ts";
import { ReplayLog } from "./replay-log.ts";
import { topicExists } from "./topic-reader.ts";

/** Publish dead letters where they came from. */
export function replayDeadLetters(call: DeskCall, request: ResolvedReplay): Promise<RunReport> {
  const { host, signal } = call;
  return runOver(call, { ...request, outcome: "replayed" }, (parts) => {
    const pacer = new Pacer(host.clock, request.ratePerSecond);
    return new ReplayLetters({ ...parts, host, pacer, signal });
  });
}

/** Mark dead letters as given up. */
export function discardDeadLetters(call: DeskCall, request: ResolvedDiscard): Promise<RunReport> {
  const { by, reason } = request;
  const { clock } = call.host;
  const plan = { ...request, concurrency: REQUEST_DEFAULTS.concurrency, outcome: "discarded" };
  return runOver(call, plan, (parts) => new DiscardLetters({ ...parts, clock, by, reason }));
}

interface RunPlan extends Omit<ResolvedReplay, "ratePerSecond"> {
  readonly outcome: string;
}

interface WorkParts {
  readonly run: string;
  readonly log: ReplayLog;
  readonly lease: ReplayLease;
  readonly counts: RunCounts;
  readonly failures: ReplayFailure[];
}

type WorkFactory = (parts: WorkParts) => LetterWork;

async function runOver(call: DeskCall, plan: RunPlan, work: WorkFactory): Promise<RunReport> {
  const counts = noCounts();
  const exists = await topicExists(call.host.transport, call.deadLetterTopic);
  if (!exists) return { run: "", failures: [], ...counts };
  return plan.dryRun ? rehearse(call, plan, counts) : perform(call, plan, { counts, work });
}

/** Go through the topic without a lease and without a trace. */
async function rehearse(call: DeskCall, plan: RunPlan, counts: RunCounts): Promise<RunReport> {
  const log = new ReplayLog(call);
  await log.readOnce();
  const nothing: LetterWork = { carryOut: () => Promise.resolve() };
  await goThrough(call, plan, { counts, log, work: nothing });
  return { run: "", failures: [], ...counts };
}

async function perform(
  call: DeskCall,
  plan: RunPlan,
  { counts, work }: { readonly counts: RunCounts; readonly work: WorkFactory },
): Promise<RunReport> {
  const { host, leaseMs, deadLetterTopic } = call;
  const { clock, logger } = host;
  const run = randomUUID();
  const failures: ReplayFailure[] = [];
  const log = new ReplayLog(call);
  const lease = new ReplayLease({ log, clock, logger, leaseMs, run, deadLetterTopic });
  try {
    await log.follow();
    await lease.take();
    try {
      const parts = { run, log, lease, counts, failures };
      await goThrough(call, plan, { counts, log, work: work(parts) });
    } finally {
      count(call, plan.outcome, counts.done);
      count(call, "failed", counts.failed);
      await lease.release();
    }
  } finally {
    await log.close();
  }
  return { run, failures, ...counts };
}

interface RunParts {
  readonly counts: RunCounts;
  readonly log: ReplayLog;
  readonly work: LetterWork;
}

function goThrough(call: DeskCall, plan: RunPlan, parts: RunParts): Promise<void> {
  const { host, readers, deadLetterTopic, signal } = call;
  const { limit = Infinity, concurrency, onProgress } = plan;
  const run = new DeadLetterRun({
    ...parts,
    deadLetterTopic,
    filter: plan,
    limit,
    concurrency,
    readers,
    logger: host.logger,
    signal,
    onProgress,
  });
  return run.finish();
}

/** Count in the bus's metrics what a run did, also one that failed. */
function count({ host, deadLetterTopic: topic }: DeskCall, outcome: string, amount: number): void {
  if (amount > 0) host.instruments.counter(DLQ_METRICS.dealtWith, { topic, outcome }).add(amount);
}

function noCounts(): RunCounts {
  return {
    scanned: 0,
    total: 0,
    matched: 0,
    done: 0,
    repeated: 0,
    failed: 0,
    heldBack: 0,
    doneBefore: 0,
    foreign: 0,
  };
}
