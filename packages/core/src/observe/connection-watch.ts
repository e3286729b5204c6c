import type { Clock } from "../contracts/clock.ts";
import type { TransportEvent } from "../contracts/transport.ts";

/** A connection that is gone. */
export interface Disconnection {
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  readonly error: unknown;
}

/** Remembers what a transport said of its connection and of memberships that ended, for health. */
export class ConnectionWatch {
  readonly #clock: Clock;
  readonly #ended = new Map<string, unknown>();
  readonly #rebalancing = new Map<string, number>();
  #disconnection: Disconnection | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Since when the broker cannot be reached; `undefined` while it can, and before the first connection. */
  get disconnection(): Disconnection | undefined {
    return this.#disconnection;
  }

  /** Groups whose membership has ended by itself, with the reason. */
  get endedGroups(): ReadonlyMap<string, unknown> {
    return this.#ended;
  }

  /** Groups whose assignment is changing, with the time at which that began, in milliseconds since the Unix epoch. */
  get rebalancingGroups(): ReadonlyMap<string, number> {
    return this.#rebalancing;
  }

  follow(event: TransportEvent): void {
    this.#followConnection(event);
    this.#followMembership(event);
  }

  #followConnection(event: TransportEvent): void {
    if (event.kind === "connected") this.#disconnection = undefined;
    else if (event.kind === "disconnected" || event.kind === "reconnecting")
      this.#disconnection = {
        sinceMs: this.#disconnection?.sinceMs ?? this.#clock.now(),
        error: event.error,
      };
  }

  #followMembership(event: TransportEvent): void {
    if (event.kind === "rebalancing" || (event.kind === "revoked" && event.lost)) {
      if (!this.#rebalancing.has(event.group))
        this.#rebalancing.set(event.group, this.#clock.now());
    } else if (event.kind === "assigned") {
      this.#ended.delete(event.group);
      this.#rebalancing.delete(event.group);
    } else if (event.kind === "subscriptionEnded") {
      this.#ended.set(event.group, event.error);
      this.#rebalancing.delete(event.group);
    }
  }
}
