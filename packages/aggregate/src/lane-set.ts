import { LRUCache } from "lru-cache";
import { Lane } from "./lane.ts";
import { Ring } from "./ring.ts";

/** Sweeps per idle timeout: a lane is released at most this share late, never early. */
const SWEEPS_PER_TIMEOUT = 4;

/** Lanes without an aggregate that are kept for later ones. */
const MAX_SPARE = 4096;

/** How many lanes there are, by what they do. */
export interface LaneCounts {
  /** Lanes, idle ones included; never more than `maxLanes`. */
  readonly total: number;
  /** Lanes with something queued or running. */
  readonly active: number;
  readonly idle: number;
  /** Aggregates that wait for a lane because the limit is reached and no lane is idle. */
  readonly waiting: number;
  /** Aggregates with direct runs only: in normal mode they need no lane. */
  readonly passing: number;
}

/** Keeps what is to be known of an aggregate while it has no lane. */
export interface LaneMemory {
  remember(lane: Lane): void;
  recall(lane: Lane): void;
}

/**
 * The lanes of a pool by aggregate, at most `maxLanes`; when a new one is needed, the idle lane that was used least
 * recently makes room.
 *
 * An LRU cache alone would evict busy lanes. Here a busy lane that eviction meets is set aside (`kept`) and comes back
 * when it is idle: each lane is set aside at most once per return, so that finding an idle lane stays O(1) amortised.
 */
export class LaneSet {
  readonly #maxLanes: number;
  readonly #shelf: LRUCache<string, Lane>;
  /** Lanes that must not be evicted: set aside, waiting for a place, passing. */
  readonly #kept = new Map<string, Lane>();
  readonly #waiting = new Ring<Lane>();
  /** Lanes that rest and serve nobody. */
  readonly #spare: Lane[] = [];
  readonly #memory: LaneMemory | undefined;
  #keptLanes = 0;
  #waitingLanes = 0;
  #passing = 0;
  #idle = 0;
  #sweeps = 0;

  constructor(maxLanes: number, memory?: LaneMemory) {
    this.#maxLanes = maxLanes;
    this.#memory = memory;
    this.#shelf = new LRUCache({ max: maxLanes });
  }

  /** The lane, or what else is known of the aggregate; marks it as used. */
  find(key: string): Lane | undefined {
    const lane = this.#shelf.get(key) ?? (this.#kept.size > 0 ? this.#kept.get(key) : undefined);
    if (lane !== undefined) lane.usedAtSweep = this.#sweeps;
    return lane;
  }

  /** Make the lane of an aggregate that has none: resting, or blocked when every lane is busy. */
  open(key: string): Lane {
    const atLimit = this.#shelf.size + this.#keptLanes >= this.#maxLanes;
    if (atLimit && this.#idle > 0) this.#evict();
    const lane = this.#laneFor(key);
    if (this.#shelf.size + this.#keptLanes < this.#maxLanes) {
      this.#idle++;
      return this.#place(lane);
    }
    lane.place = "waiting";
    lane.state = "blocked";
    this.#kept.set(key, lane);
    this.#waiting.push(lane);
    this.#waitingLanes++;
    return lane;
  }

  /** Remember direct runs of an aggregate that has no lane, until `rest`. */
  pass(key: string): Lane {
    const lane = this.#laneFor(key);
    lane.place = "passing";
    this.#kept.set(key, lane);
    this.#passing++;
    return lane;
  }

  /** Give what was passing a lane's place, when there is one free or idle; otherwise it passes on. */
  promote(lane: Lane): void {
    if (this.#shelf.size + this.#keptLanes >= this.#maxLanes) {
      if (this.#idle === 0) return;
      this.#evict();
    }
    this.#passing--;
    this.#setAside(lane);
  }

  /** A resting lane gets something to do. */
  wake(lane: Lane): void {
    if (lane.place === "shelf") this.#idle--;
  }

  /**
   * A lane has nothing queued or running any more.
   *
   * @returns The lane of the aggregate that has waited longest for a place, when there is one: it gets this one's
   *   place, since no other lane is idle then. It is ready to run.
   */
  rest(lane: Lane): Lane | undefined {
    lane.state = "resting";
    if (lane.place === "passing") {
      this.#passing--;
      this.#drop(lane);
    } else if (lane.place === "waiting") {
      this.#waitingLanes--;
      this.#drop(lane);
    } else {
      const next = this.#waitingLanes > 0 ? this.#nextWaiting() : undefined;
      if (next !== undefined) return this.#replace(lane, next);
      this.#idle++;
      if (lane.place === "kept") {
        this.#kept.delete(lane.key);
        this.#keptLanes--;
        this.#place(lane);
      }
    }
    return undefined;
  }

  /**
   * Release lanes without a message for a whole timeout; to be called `SWEEPS_PER_TIMEOUT` times per timeout.
   *
   * @returns Whether lanes are left that a later sweep may have to release.
   */
  sweep(): boolean {
    this.#sweeps++;
    const usedBefore = this.#sweeps - SWEEPS_PER_TIMEOUT;
    const expired: Lane[] = [];
    for (const lane of this.#shelf.rvalues()) {
      // Ordered by use: behind the first fresh lane all are fresh.
      if (lane === undefined || lane.usedAtSweep >= usedBefore) break;
      if (!lane.busy) expired.push(lane);
    }
    for (const lane of expired) {
      this.#shelf.delete(lane.key);
      this.#memory?.remember(lane);
    }
    this.#idle -= expired.length;
    return this.#shelf.size + this.#keptLanes > 0;
  }

  counts(): LaneCounts {
    const total = this.#shelf.size + this.#keptLanes;
    return {
      total,
      active: total - this.#idle,
      idle: this.#idle,
      waiting: this.#waitingLanes,
      passing: this.#passing,
    };
  }

  /** Everything that is known of any aggregate. O(lanes). */
  *all(): IterableIterator<Lane> {
    yield* this.#shelf.values();
    yield* this.#kept.values();
  }

  #place(lane: Lane): Lane {
    lane.place = "shelf";
    lane.usedAtSweep = this.#sweeps;
    this.#shelf.set(lane.key, lane);
    return lane;
  }

  #replace(rested: Lane, waiting: Lane): Lane {
    if (rested.place === "shelf") this.#shelf.delete(rested.key);
    else {
      this.#kept.delete(rested.key);
      this.#keptLanes--;
    }
    this.#keepSpare(rested);
    this.#waitingLanes--;
    this.#setAside(waiting);
    return waiting;
  }

  /** Count a busy lane that is in `kept` already; the shelf gets it when it is idle. */
  #setAside(lane: Lane): void {
    lane.place = "kept";
    this.#keptLanes++;
  }

  #drop(lane: Lane): void {
    this.#kept.delete(lane.key);
    this.#keepSpare(lane);
  }

  /** Take the least recently used idle lane off the shelf. */
  #evict(): void {
    for (let lane = this.#shelf.pop(); lane !== undefined; lane = this.#shelf.pop()) {
      if (!lane.busy) {
        this.#idle--;
        this.#keepSpare(lane);
        return;
      }
      this.#kept.set(lane.key, lane);
      this.#setAside(lane);
    }
  }

  #keepSpare(lane: Lane): void {
    this.#memory?.remember(lane);
    lane.rename("");
    if (this.#spare.length < MAX_SPARE) this.#spare.push(lane);
  }

  #laneFor(key: string): Lane {
    const lane = this.#spare.pop() ?? new Lane();
    lane.rename(key);
    this.#memory?.recall(lane);
    return lane;
  }

  #nextWaiting(): Lane | undefined {
    for (let lane = this.#waiting.shift(); lane !== undefined; lane = this.#waiting.shift()) {
      // One whose messages were all given back has left already.
      if (lane.place === "waiting" && lane.busy) return lane;
    }
    return undefined;
  }
}

/** Milliseconds between two sweeps. */
export function sweepIntervalMs(idleTimeoutMs: number): number {
  return Math.ceil(idleTimeoutMs / SWEEPS_PER_TIMEOUT);
}
