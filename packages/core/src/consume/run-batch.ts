import type { Delivery } from "../contracts/delivery.ts";
import type { BatchHandler, Message } from "../contracts/handler.ts";
import type { RunDelivery } from "../contracts/scheduler.ts";
import type { RunBatch } from "./batch-scheduler.ts";
import type { DecodeMessage } from "./decode-message.ts";
import type { Finish } from "./failure-chain.ts";
import type { RunTimer } from "./run-timer.ts";
import type { RunningHandlers } from "./running-handlers.ts";

/** What the batch runs of one subscription are made of. */
export interface BatchRunParts {
  readonly decode: DecodeMessage;
  readonly handler: BatchHandler<unknown>;
  readonly running: RunningHandlers;
  readonly finish: Finish;
  readonly timer: RunTimer;
  /** Runs one delivery with a batch of one, the failure chain included. */
  readonly runOne: RunDelivery;
}

/**
 * Make the step that runs a batch. When the handler (or decoding) fails, the messages are run again one by one, in
 * order, each with the failure chain of its own: one bad message neither takes the batch with it nor is skipped.
 */
export function createBatchRun({
  decode,
  handler,
  running,
  finish,
  timer,
  runOne,
}: BatchRunParts): RunBatch {
  return async function runBatch(deliveries) {
    const [first, ...rest] = deliveries;
    if (first === undefined) return;
    if (rest.length > 0 && !first.draining.aborted && (await succeeded(deliveries, first))) {
      for (const delivery of deliveries) finish(delivery, "ack");
      return;
    }
    for (const delivery of deliveries) await runOne(delivery);
  };

  async function succeeded(deliveries: readonly Delivery[], first: Delivery): Promise<boolean> {
    const run = running.begin(first, first.attempt);
    try {
      const messages: Message<unknown>[] = [];
      for (const delivery of deliveries) messages.push(await decode(delivery));
      run.batch = messages;
      const timed = timer.begin();
      const pending = handler(messages, run);
      if (timed !== undefined) timer.returned(timed, first);
      await pending;
      if (timed !== undefined) timer.endBatch(timed, deliveries);
      return true;
    } catch {
      // Not swallowed: every message runs again below, where its own failure is classified and reported.
      return false;
    } finally {
      running.end(run);
    }
  }
}
