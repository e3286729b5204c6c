import type { Clock, Delivery, Histogram } from "@bus/core";
import { ReturningRun } from "@bus/core/adapter";
import type { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";
import { countQueue, hottestOf } from "./lane-census.ts";
import type { HotAggregate, LaneNumbers } from "./lane-census.ts";
import { LaneLimiter } from "./lane-limiter.ts";
import { LaneSet, sweepIntervalMs } from "./lane-set.ts";
import type { LaneCounts } from "./lane-set.ts";
import type { RateLimit } from "./rate-limit.ts";
import { Ring } from "./ring.ts";
import { route } from "./route.ts";
import type { AggregateState, Mode } from "./route.ts";
import { QueuedMessage, QueuedMessages } from "./queued-message.ts";
import { Slot } from "./slot.ts";
import type { SlotKeeper } from "./slot.ts";

/** How a pool works; see `AggregateOptions` for each. */
export interface LanePoolOptions {
  readonly concurrency: number;
  readonly maxLanes: number;
  readonly mailboxSize: number;
  readonly idleTimeoutMs: number;
  readonly aggregateRateLimit?: RateLimit | undefined;
}

/** What a pool borrows. */
export interface LanePoolParts {
  readonly clock: Clock;
  /** Seconds that each message waited for its handler. */
  readonly waits: Histogram;
}

/**
 * Runs deliveries of one aggregate one at a time and in order, those of different aggregates at once, up to
 * `concurrency` handlers over all subscriptions.
 *
 * What can run takes turns: lanes whose head waits, direct messages, and runs that waited for their next attempt without
 * a slot (their lanes stay theirs). A lane gives one message away and goes to the end, so that each of n ready lanes gets
 * every n-th handler and a hot one delays only itself. Lanes with more than half a mailbox have every second turn between
 * them: they are what a backlog waits for in the end, and what a full one pauses. Nothing is scanned per message: every
 * step is O(1) amortised.
 */
export class LanePool {
  /** Read for every message; a change takes effect with the next one. */
  mode: Mode;
  readonly #options: LanePoolOptions;
  readonly #concurrency: number;
  readonly #resumeAtSize: number;
  readonly #clock: Clock;
  readonly #waits: Histogram;
  readonly #lanes: LaneSet;
  readonly #limiter: LaneLimiter | undefined;
  readonly #ready = new Ring<Lane | QueuedMessage | ReturningRun>();
  /** Lanes that are ready with more than half a mailbox. */
  readonly #pressed = new Ring<Lane>();
  #isPressedTurn = true;
  readonly #messages = new QueuedMessages();
  readonly #freeSlots: Slot[] = [];
  readonly #slots: SlotKeeper;
  #running = 0;
  #retrying = 0;
  #filling = false;
  #queued = 0;
  #cancelSweep: (() => void) | undefined;

  constructor(options: LanePoolOptions, parts: LanePoolParts, mode: Mode) {
    this.mode = mode;
    this.#options = options;
    this.#concurrency = options.concurrency;
    this.#resumeAtSize = Math.floor(options.mailboxSize / 2);
    this.#clock = parts.clock;
    this.#waits = parts.waits;
    this.#slots = {
      gaveBack: () => this.#gaveBack(),
      takeAgain: (signal) => this.#takeAgain(signal),
      ended: (slot) => this.#onEnded(slot),
    };
    const limit = options.aggregateRateLimit;
    this.#limiter =
      limit === undefined
        ? undefined
        : new LaneLimiter({
            limit,
            clock: parts.clock,
            maxLanes: options.maxLanes,
            onDue: (lane) => this.#wakeDelayed(lane),
          });
    this.#lanes = new LaneSet(options.maxLanes, this.#limiter);
  }

  /** Take a delivery over. `key` is the aggregate id within its scope; empty when the message has none. */
  schedule(intake: Intake, delivery: Delivery, key: string): void {
    intake.taken();
    const known = key === "" ? undefined : this.#lanes.find(key);
    // A lane keeps the rate of its aggregate, so with a limit every aggregate needs one.
    const mode = this.#limiter === undefined ? this.mode : "recovery";
    const way = route(mode, intake.promise, key === "" ? "none" : stateOf(known));
    if (way === "lane") {
      if (mode === "recovery" && known?.place === "passing") this.#promote(known);
      this.#enter(known ?? this.#open(key), intake, delivery);
    } else if (way === "alone") this.#enter(this.#lanes.pass(key), intake, delivery);
    else if (way === "overlapping") this.#direct(intake, delivery, known ?? this.#lanes.pass(key));
    else this.#direct(intake, delivery, undefined);
  }

  /** Hand a delivery that drains to `run` at once: it only releases it, and that needs no handler and no order. */
  giveBack(intake: Intake, delivery: Delivery): void {
    intake.taken();
    this.#release(intake, delivery, undefined);
  }

  /** Give back what is queued and drains. O(lanes and queued messages); for the end of an ownership. */
  giveBackDraining(): void {
    const taken: QueuedMessage[] = [];
    const take = (entry: QueuedMessage): void => void taken.push(entry);
    for (const lane of Array.from(this.#lanes.all())) {
      const { size } = lane;
      lane.removeDraining(take);
      if (lane.size < size) this.#shrunk(lane);
    }
    for (const item of this.#ready) {
      if (item instanceof QueuedMessage && item.delivery?.draining.aborted === true)
        taken.push(item);
    }
    this.#queued -= taken.length;
    for (const entry of taken) {
      const { intake, delivery, lane } = entry;
      // Not for later messages: a direct one still has its turn in the ring.
      entry.delivery = undefined;
      if (intake !== undefined && delivery !== undefined) this.#release(intake, delivery, lane);
    }
    this.#fillSlots();
  }

  /** How many lanes there are. O(1), unlike `numbers`. */
  counts(): LaneCounts {
    return this.#lanes.counts();
  }

  numbers(): LaneNumbers {
    const queue = countQueue(this.#lanes.all(), this.#ready, this.#clock.monotonicMs());
    return {
      ...this.#lanes.counts(),
      running: this.#running,
      retrying: this.#retrying,
      queued: this.#queued,
      oldestWaitMs: queue.oldestWaitMs,
    };
  }

  /** The aggregates with most messages queued, most first. O(lanes). */
  hottest(count: number): readonly HotAggregate[] {
    return hottestOf(this.#lanes.all(), count, this.#clock.monotonicMs());
  }

  /** Stop the timers; everything must have settled. */
  close(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    this.#limiter?.close();
  }

  #open(key: string): Lane {
    this.#cancelSweep ??= this.#scheduleSweep();
    return this.#lanes.open(key);
  }

  #promote(lane: Lane): void {
    this.#cancelSweep ??= this.#scheduleSweep();
    this.#lanes.promote(lane);
  }

  /** Put a message behind everything of its aggregate; start it when there is nothing. */
  #enter(lane: Lane, intake: Intake, delivery: Delivery): void {
    lane.intake = intake;
    if (lane.state === "resting" && lane.overlapping === 0) {
      this.#lanes.wake(lane);
      if (this.#running < this.#concurrency && this.#withinLimit(lane)) {
        lane.state = "running";
        this.#waits.record(0);
        return this.#start(lane, intake, delivery);
      }
    }
    lane.push(this.#messages.take(intake, delivery, this.#clock.monotonicMs()));
    this.#queued++;
    if (lane.state === "resting") {
      if (lane.overlapping > 0) lane.state = "blocked";
      else this.#makeReady(lane);
    }
    if (lane.size >= this.#options.mailboxSize || lane.place === "waiting")
      lane.hold(intake, delivery.partition);
  }

  /** Start a message that need not wait for others; `lane` counts it when its aggregate is known. */
  #direct(intake: Intake, delivery: Delivery, lane: Lane | undefined): void {
    if (lane !== undefined) {
      lane.intake = intake;
      lane.overlapping++;
    }
    if (this.#running < this.#concurrency) {
      this.#waits.record(0);
      return this.#start(lane, intake, delivery);
    }
    const entry = this.#messages.take(intake, delivery, this.#clock.monotonicMs());
    entry.lane = lane;
    this.#queued++;
    this.#ready.push(entry);
  }

  #start(lane: Lane | undefined, intake: Intake, delivery: Delivery): void {
    const slot = this.#freeSlots.pop() ?? new Slot(this.#slots);
    slot.lane = lane;
    slot.intake = intake;
    this.#running++;
    // `run` never rejects; were it to, a slot lost for ever would be the worse defect.
    intake.run(delivery, slot).then(slot.ended, slot.ended);
  }

  #gaveBack(): void {
    this.#running--;
    this.#retrying++;
    this.#fillSlots();
  }

  async #takeAgain(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#running >= this.#concurrency) {
      const returning = new ReturningRun(signal);
      this.#ready.push(returning);
      return returning.settled;
    }
    this.#returned();
    return true;
  }

  #returned(): void {
    this.#retrying--;
    this.#running++;
  }

  #onEnded(slot: Slot): void {
    const { lane, intake } = slot;
    if (slot.taken) this.#running--;
    else this.#retrying--;
    slot.lane = undefined;
    slot.intake = undefined;
    slot.taken = true;
    this.#freeSlots.push(slot);
    if (lane !== undefined) this.#runEnded(lane);
    intake?.settled();
    this.#fillSlots();
  }

  /** Overlapping runs and runs in order exclude each other, so the count tells which of both has ended. */
  #runEnded(lane: Lane): void {
    if (lane.overlapping > 0) {
      lane.overlapping--;
      if (lane.overlapping > 0) return;
    }
    if (lane.size > 0) this.#makeReady(lane);
    else this.#rest(lane);
  }

  /** Not nested: a run that fails at once gives its slot back before it has returned. */
  #fillSlots(): void {
    if (this.#filling) return;
    this.#filling = true;
    try {
      while (this.#running < this.#concurrency) {
        const next = this.#nextReady();
        if (next === undefined) return;
        if (next instanceof QueuedMessage) this.#startQueued(next);
        else if (!(next instanceof ReturningRun)) this.#startHead(next);
        else if (next.letIn()) this.#returned();
      }
    } finally {
      this.#filling = false;
    }
  }

  /** Every second turn belongs to a pressed lane, when there is one; the others share what is left. */
  #nextReady(): Lane | QueuedMessage | ReturningRun | undefined {
    if (this.#pressed.size === 0) return this.#ready.shift();
    this.#isPressedTurn = !this.#isPressedTurn || this.#ready.size === 0;
    return this.#isPressedTurn ? this.#pressed.shift() : this.#ready.shift();
  }

  #startHead(lane: Lane): void {
    const { head } = lane;
    // A lane whose messages were given back leaves its turn in the ring behind.
    if (lane.state !== "ready" || head === undefined || !this.#withinLimit(lane)) return;
    lane.shift();
    lane.state = "running";
    head.lane = lane;
    this.#startQueued(head);
    // Last, because a resumed partition may deliver at once.
    if (lane.size <= this.#resumeAtSize) lane.releaseHolds();
  }

  #startQueued(entry: QueuedMessage): void {
    const { lane, intake, delivery, queuedAtMs } = entry;
    this.#messages.giveBack(entry);
    if (intake === undefined || delivery === undefined) return;
    this.#queued--;
    this.#waits.record((this.#clock.monotonicMs() - queuedAtMs) / 1000);
    this.#start(lane, intake, delivery);
  }

  #withinLimit(lane: Lane): boolean {
    if (this.#limiter === undefined || this.#limiter.pass(lane)) return true;
    lane.state = "delayed";
    return false;
  }

  #wakeDelayed(lane: Lane): void {
    this.#makeReady(lane);
    this.#fillSlots();
  }

  #makeReady(lane: Lane): void {
    lane.state = "ready";
    if (lane.size > this.#resumeAtSize) this.#pressed.push(lane);
    else this.#ready.push(lane);
  }

  #rest(lane: Lane): void {
    const admitted = this.#lanes.rest(lane);
    if (admitted !== undefined) this.#makeReady(admitted);
    lane.releaseHolds();
    if (admitted !== undefined && admitted.size <= this.#resumeAtSize) admitted.releaseHolds();
  }

  /** Messages of a lane were given back while they waited. */
  #shrunk(lane: Lane): void {
    if (lane.size === 0 && lane.state !== "running") {
      if (lane.state === "delayed") this.#limiter?.forget(lane);
      if (lane.overlapping > 0) lane.state = "resting";
      else return this.#rest(lane);
    }
    if (lane.size === 0 || (lane.size <= this.#resumeAtSize && lane.place !== "waiting"))
      lane.releaseHolds();
  }

  #release(intake: Intake, delivery: Delivery, lane: Lane | undefined): void {
    const ended = (): void => {
      if (lane !== undefined) this.#runEnded(lane);
      intake.settled();
      this.#fillSlots();
    };
    intake.run(delivery).then(ended, ended);
  }

  #scheduleSweep(): () => void {
    return this.#clock.schedule(() => {
      this.#cancelSweep = this.#lanes.sweep() ? this.#scheduleSweep() : undefined;
    }, sweepIntervalMs(this.#options.idleTimeoutMs));
  }
}

function stateOf(lane: Lane | undefined): AggregateState {
  if (lane === undefined) return "free";
  return lane.state === "resting" && lane.overlapping > 0 ? "overlapping" : "lane";
}
