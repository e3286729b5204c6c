import type { Delivery, IncomingMessage, Scheduler } from "@bus/core";
import { Intake } from "./intake.ts";
import type { IntakeParts } from "./intake.ts";
import type { LanePool } from "./lane-pool.ts";

/** What the scheduler of one subscription is made of. */
export interface KeySchedulerParts extends IntakeParts {
  readonly pool: LanePool;
  /** The lane key of a message, empty without an aggregate id; may throw. */
  readonly laneKey: (message: IncomingMessage) => string;
  /** Called with what `laneKey` threw, before the delivery runs. */
  readonly onKeyFailure: (delivery: Delivery, error: unknown) => void;
}

interface Ownership {
  readonly signal: AbortSignal;
  draining: boolean;
}

/** Ordering `key` for one subscription: finds the aggregate of each delivery and gives it to the pool. */
export class KeyScheduler implements Scheduler {
  readonly #pool: LanePool;
  readonly #intake: Intake;
  readonly #laneKey: KeySchedulerParts["laneKey"];
  readonly #onKeyFailure: KeySchedulerParts["onKeyFailure"];
  /** The newest ownership of each partition. */
  readonly #ownerships: (Ownership | undefined)[] = [];

  constructor(parts: KeySchedulerParts) {
    this.#pool = parts.pool;
    this.#intake = new Intake(parts);
    this.#laneKey = parts.laneKey;
    this.#onKeyFailure = parts.onKeyFailure;
  }

  schedule(delivery: Delivery): void {
    const ownership = this.#ownerships[delivery.partition];
    const draining =
      ownership?.signal === delivery.draining
        ? ownership.draining
        : this.#watch(delivery.partition, delivery.draining);
    if (draining) this.#pool.giveBack(this.#intake, delivery);
    else this.#pool.schedule(this.#intake, delivery, this.#keyOf(delivery));
  }

  drained(): Promise<void> {
    return this.#intake.drained();
  }

  /** A message whose aggregate cannot be told runs without order; its run then fails it, see `onKeyFailure`. */
  #keyOf(delivery: Delivery): string {
    try {
      return this.#laneKey(delivery);
    } catch (error) {
      this.#onKeyFailure(delivery, error);
      return "";
    }
  }

  /** One listener per partition and epoch: what waits in lanes is given back as soon as the ownership ends. */
  #watch(partition: number, signal: AbortSignal): boolean {
    if (signal.aborted) return true;
    const ownership: Ownership = { signal, draining: false };
    this.#ownerships[partition] = ownership;
    const onDraining = (): void => {
      ownership.draining = true;
      this.#pool.giveBackDraining();
    };
    signal.addEventListener("abort", onDraining, { once: true });
    return false;
  }
}
