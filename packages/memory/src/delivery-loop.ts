import type { Clock } from "@bus/core";

/** Something with messages to deliver: a partition that a member owns. */
export interface DeliverySource {
  /** Whether the loop has it in its list; kept by the loop. */
  listed: boolean;
  /** Whether it could deliver now. */
  readonly ready: boolean;
  /** Deliver at most so many messages; returns how many. */
  deliverSome(max: number): number;
}

/** Messages after which the event loop gets a turn. */
const MESSAGES_PER_TURN = 4096;
/** Time after which the event loop gets a turn, in milliseconds. */
const TURN_MS = 5;
/** Bursts are 1, 2, 4 … messages: small ones mix partitions, large ones are fast. */
const BURST_SIZES = 9;

/**
 * Delivers for every partition of one broker, from microtasks, in an order that only the seed decides.
 *
 * It never starves the event loop: after some thousand messages or a few milliseconds it waits for the next turn.
 */
export class DeliveryLoop {
  /** Milliseconds that a message waits before it can be delivered; a fault of tests. */
  delayMs = 0;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #listed: DeliverySource[] = [];
  readonly #delayed = new Map<DeliverySource, () => void>();
  readonly #run = (): void => this.#deliver();
  #scheduled = false;
  #left = MESSAGES_PER_TURN;
  #turnStartedMs = 0;
  #turn: NodeJS.Immediate | undefined;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** List a source that has become ready. */
  add(source: DeliverySource): void {
    if (source.listed) return;
    source.listed = true;
    if (this.delayMs > 0) this.#addLater(source);
    else this.#list(source);
  }

  /** Forget a source that will not deliver any more. */
  remove(source: DeliverySource): void {
    if (!source.listed) return;
    source.listed = false;
    this.#delayed.get(source)?.();
    this.#delayed.delete(source);
    const index = this.#listed.indexOf(source);
    if (index >= 0) this.#listed.splice(index, 1);
    if (this.#listed.length === 0) this.#endTurn();
  }

  #list(source: DeliverySource): void {
    this.#listed.push(source);
    this.#schedule();
  }

  #addLater(source: DeliverySource): void {
    const cancel = this.#clock.schedule(() => {
      this.#delayed.delete(source);
      this.#list(source);
    }, this.delayMs);
    this.#delayed.set(source, cancel);
  }

  #schedule(): void {
    if (this.#scheduled || this.#listed.length === 0) return;
    if (this.#turn === undefined) this.#beginTurn();
    // Without anything left in this turn the next one delivers.
    if (this.#left <= 0) return;
    this.#scheduled = true;
    queueMicrotask(this.#run);
  }

  #deliver(): void {
    while (this.#listed.length > 0 && this.#left > 0) {
      const source = this.#takeOne();
      const burst = 2 ** Math.floor(this.#random() * BURST_SIZES);
      this.#left -= Math.max(source.deliverSome(Math.min(burst, this.#left)), 1);
      if (source.ready && !source.listed) {
        source.listed = true;
        this.#listed.push(source);
      }
      if (this.#clock.monotonicMs() - this.#turnStartedMs > TURN_MS) this.#left = 0;
    }
    this.#scheduled = false;
    this.#schedule();
  }

  #takeOne(): DeliverySource {
    const index = Math.floor(this.#random() * this.#listed.length);
    const last = this.#listed.pop();
    const chosen = this.#listed[index] ?? last;
    if (chosen === undefined || last === undefined)
      throw new RangeError("the delivery loop has nothing to deliver");
    if (chosen !== last) this.#listed[index] = last;
    chosen.listed = false;
    return chosen;
  }

  #beginTurn(): void {
    this.#left = MESSAGES_PER_TURN;
    this.#turnStartedMs = this.#clock.monotonicMs();
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#left = MESSAGES_PER_TURN;
      this.#schedule();
    });
  }

  #endTurn(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
  }
}
