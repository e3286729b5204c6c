import type { Clock } from "../contracts/clock.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { HandlerContext, Message } from "../contracts/handler.ts";
import type { LogFields, Logger } from "../contracts/logger.ts";
import type { RecoverySource } from "../contracts/service.ts";
import { BusHandlerError } from "../errors/bus-error.ts";

/** What the handlers of one subscription share. */
export interface HandlerSurroundings {
  readonly group: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recovery: RecoverySource | undefined;
  readonly maxProcessingTimeMs: number;
  /** Called once per run that exceeds its deadline. */
  readonly onOverdue: (delivery: Delivery) => void;
}

/** How often per deadline the running handlers are looked at: a deadline is met at most this share late, never early. */
const SWEEPS_PER_DEADLINE = 8;

/** One run of a handler: its context, and its place in the list of running handlers. */
export class HandlerRun implements HandlerContext {
  readonly delivery: Delivery;
  readonly attempt: number;
  batch: readonly Message<unknown>[] | undefined;
  readonly #surroundings: HandlerSurroundings;
  #controller: AbortController | undefined;
  #forwardAbort: (() => void) | undefined;
  #timedOut: BusHandlerError | undefined;
  startedAtSweep = 0;
  previous: HandlerRun | undefined;
  next: HandlerRun | undefined;

  constructor(delivery: Delivery, attempt: number, surroundings: HandlerSurroundings) {
    this.delivery = delivery;
    this.attempt = attempt;
    this.#surroundings = surroundings;
  }

  get group(): string {
    return this.#surroundings.group;
  }

  get signal(): AbortSignal {
    // Made on first use: most handlers never look at it, and a controller costs more than the rest of the run.
    this.#controller ??= this.#createController();
    return this.#controller.signal;
  }

  get log(): Logger {
    return withMessageFields(this.#surroundings.logger, this.delivery, this.attempt);
  }

  get recovering(): boolean {
    return this.#surroundings.recovery?.recovering ?? false;
  }

  /** Set once the deadline has passed; what the handler throws afterwards is blamed on the deadline. */
  get timedOut(): BusHandlerError | undefined {
    return this.#timedOut;
  }

  /** The deadline has passed: abort the handler's signal. */
  expire(): void {
    const { topic, partition, offset } = this.delivery;
    const limit = this.#surroundings.maxProcessingTimeMs;
    this.#timedOut = new BusHandlerError(
      "BUS_HANDLER_TIMEOUT",
      `handler of ${topic}/${partition}@${offset} exceeded maxProcessingTimeMs ${limit}`,
      {
        details: { topic, partition, offset, maxProcessingTimeMs: limit },
      },
    );
    this.#controller?.abort(this.#timedOut);
    this.#surroundings.onOverdue(this.delivery);
  }

  /** Forget the delivery's signal. */
  dispose(): void {
    if (this.#forwardAbort !== undefined)
      this.delivery.signal.removeEventListener("abort", this.#forwardAbort);
  }

  #createController(): AbortController {
    const controller = new AbortController();
    const { signal } = this.delivery;
    if (this.#timedOut !== undefined) controller.abort(this.#timedOut);
    else if (signal.aborted) controller.abort(signal.reason);
    else {
      this.#forwardAbort = () => controller.abort(signal.reason);
      signal.addEventListener("abort", this.#forwardAbort, { once: true });
    }
    return controller;
  }
}

/**
 * The running handlers of one subscription, in order of their start, and the deadline that each has.
 *
 * One timer for all instead of one per message: runs remember the sweep in which they began.
 */
export class RunningHandlers {
  readonly #surroundings: HandlerSurroundings;
  #first: HandlerRun | undefined;
  #last: HandlerRun | undefined;
  #size = 0;
  #sweep = 0;
  #cancelSweep: (() => void) | undefined;

  constructor(surroundings: HandlerSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Handlers running now. */
  get size(): number {
    return this.#size;
  }

  /** In order of their start. */
  get runs(): readonly HandlerRun[] {
    const runs: HandlerRun[] = [];
    for (let run = this.#first; run !== undefined; run = run.next) runs.push(run);
    return runs;
  }

  begin(delivery: Delivery, attempt: number): HandlerRun {
    const run = new HandlerRun(delivery, attempt, this.#surroundings);
    run.startedAtSweep = this.#sweep;
    run.previous = this.#last;
    if (this.#last === undefined) this.#first = run;
    else this.#last.next = run;
    this.#last = run;
    this.#size++;
    if (this.#cancelSweep === undefined) this.#scheduleSweep();
    return run;
  }

  end(run: HandlerRun): void {
    if (run.previous === undefined) this.#first = run.next;
    else run.previous.next = run.next;
    if (run.next === undefined) this.#last = run.previous;
    else run.next.previous = run.previous;
    // An ended run that still points at its neighbours would keep them alive until the next full collection.
    run.previous = undefined;
    run.next = undefined;
    this.#size--;
    run.dispose();
  }

  /** Stop the timer; for the end of the subscription. */
  close(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #scheduleSweep(): void {
    const interval = Math.ceil(this.#surroundings.maxProcessingTimeMs / SWEEPS_PER_DEADLINE);
    this.#cancelSweep = this.#surroundings.clock.schedule(() => this.#expireOverdue(), interval);
  }

  #expireOverdue(): void {
    this.#sweep++;
    this.#cancelSweep = undefined;
    // A run begun between sweeps n and n+1 has surely used its time at sweep n+1+SWEEPS_PER_DEADLINE.
    const overdueSince = this.#sweep - SWEEPS_PER_DEADLINE - 1;
    for (
      let run = this.#first;
      run !== undefined && run.startedAtSweep <= overdueSince;
      run = run.next
    ) {
      if (run.timedOut === undefined) run.expire();
    }
    if (this.#first !== undefined) this.#scheduleSweep();
  }
}

function withMessageFields(logger: Logger, delivery: Delivery, attempt: number): Logger {
  const fields = (extra: LogFields | undefined): LogFields => ({
    topic: delivery.topic,
    partition: delivery.partition,
    offset: delivery.offset.toString(),
    attempt,
    ...extra,
  });
  return {
    debug: (message, extra) => logger.debug(message, fields(extra)),
    info: (message, extra) => logger.info(message, fields(extra)),
    warn: (message, extra) => logger.warn(message, fields(extra)),
    error: (message, extra) => logger.error(message, fields(extra)),
  };
}
