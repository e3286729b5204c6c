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

  follow(event: TransportEvent): void {
    if (event.kind === "connected") this.#disconnection = undefined;
    else if (event.kind === "disconnected" || event.kind === "reconnecting")
      this.#disconnection = {
        sinceMs: this.#disconnection?.sinceMs ?? this.#clock.now(),
        error: event.error,
      };
    else if (event.kind === "subscriptionEnded") this.#ended.set(event.group, event.error);
    else if (event.kind === "assigned") this.#ended.delete(event.group);
  }
}
