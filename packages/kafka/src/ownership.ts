import { BusTransportError, RELEASE } from "@bus/core";
import type { Settlement } from "@bus/core";
import type { DeliveryOwner, OwnedDelivery } from "./kafka-driver.ts";

/** Ticket of a delivery that has settled. */
const SETTLED = -1;

/** Hears a settlement; `ticket` is what the delivery carried. */
export type OnSettled = (delivery: OwnedDelivery, ticket: number, settlement: Settlement) => void;

/**
 * One epoch of owning one partition: its deliveries share two signals and are counted until all have settled.
 *
 * `drain` and `end` go one way; a partition that is kept after a rebalance gets a new ownership.
 */
export class Ownership implements DeliveryOwner {
  // Kept beside their controllers: these are read for every message.
  readonly draining: AbortSignal;
  readonly signal: AbortSignal;
  readonly #draining = new AbortController();
  readonly #ended = new AbortController();
  readonly #onSettled: OnSettled;
  #unsettled = 0;
  #isDisowned = false;
  #onIdle: (() => void)[] = [];

  constructor(onSettled: OnSettled) {
    this.#onSettled = onSettled;
    this.draining = this.#draining.signal;
    this.signal = this.#ended.signal;
  }

  /** Deliveries made and not yet settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Count a delivery that is about to be handed over. */
  made(): void {
    this.#unsettled += 1;
  }

  /** Running handlers must stop, and whatever they say counts as given back. */
  disown(): void {
    this.#isDisowned = true;
    this.end();
  }

  settle(delivery: OwnedDelivery, settlement: Settlement): void {
    const { ticket } = delivery;
    if (ticket === SETTLED) {
      const where = `${delivery.topic}[${delivery.partition}] offset ${delivery.offset}`;
      throw new BusTransportError("BUS_TRANSPORT", `delivery of ${where} was settled twice`);
    }
    delivery.ticket = SETTLED;
    this.#unsettled -= 1;
    this.#onSettled(delivery, ticket, this.#isDisowned ? RELEASE : settlement);
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
