import { BusTransportError } from "@bus/core";
import type { Settlement } from "@bus/core";
import type { NatsDelivery } from "./nats-delivery.ts";

/** Hears that a delivery has settled. */
export type OnSettled = (delivery: NatsDelivery, settlement: Settlement) => void;

/** One epoch of owning one partition: its deliveries share two signals and are counted until all have settled. */
export class Ownership {
  readonly topic: string;
  readonly partition: number;
  readonly #draining = new AbortController();
  readonly #ended = new AbortController();
  readonly #onSettled: OnSettled;
  #unsettled = 0;
  #onIdle: (() => void)[] = [];

  constructor(
    { topic, partition }: { readonly topic: string; readonly partition: number },
    onSettled: OnSettled,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.#onSettled = onSettled;
  }

  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Deliveries made and not yet settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Count a delivery that is about to be handed over. */
  made(): void {
    this.#unsettled += 1;
  }

  settle(delivery: NatsDelivery, settlement: Settlement): void {
    if (delivery.isSettled) {
      const where = `${this.topic}[${this.partition}] offset ${delivery.sequence}`;
      throw new BusTransportError("BUS_TRANSPORT", `delivery of ${where} was settled twice`);
    }
    delivery.isSettled = true;
    this.#unsettled -= 1;
    this.#onSettled(delivery, settlement);
    if (this.#unsettled === 0) this.#tellIdle();
  }

  /** What has not started is given back; running handlers go on. */
  drain(): void {
    this.#draining.abort();
  }

  /** Running handlers must stop. */
  end(): void {
    this.#draining.abort();
    this.#ended.abort();
  }

  /** Call `callback` once every delivery has settled; at once when that is so now. */
  whenIdle(callback: () => void): void {
    if (this.#unsettled === 0) callback();
    else this.#onIdle.push(callback);
  }

  #tellIdle(): void {
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }
}
