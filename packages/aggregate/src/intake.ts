import type { FlowControl, RunDelivery, SubscriptionSpec } from "@bus/core";
import { PartitionHolds } from "./partition-holds.ts";
import type { NormalModePromise } from "./route.ts";

/** What an intake is made of. */
export interface IntakeParts {
  readonly run: RunDelivery;
  readonly spec: Pick<SubscriptionSpec, "topic">;
  readonly flow: FlowControl;
  readonly promise: NormalModePromise;
}

/**
 * What the pool needs to know of one subscription: how its deliveries run, how its partitions are held, and how many
 * of its deliveries have not settled.
 */
export class Intake {
  readonly topic: string;
  readonly promise: NormalModePromise;
  readonly run: RunDelivery;
  readonly holds: PartitionHolds;
  readonly #waiting: (() => void)[] = [];
  #outstanding = 0;

  constructor({ run, spec, flow, promise }: IntakeParts) {
    this.topic = spec.topic;
    this.promise = promise;
    this.run = run;
    this.holds = new PartitionHolds(spec.topic, flow);
  }

  /** Deliveries taken over and not yet settled. */
  get outstanding(): number {
    return this.#outstanding;
  }

  taken(): void {
    this.#outstanding++;
  }

  settled(): void {
    this.#outstanding--;
    if (this.#outstanding > 0 || this.#waiting.length === 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when nothing is outstanding. */
  drained(): Promise<void> {
    if (this.#outstanding === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
