import type { Admit, Clock, SubscriptionSpec } from "@bus/core";
import type { RateLimit } from "./rate-limit.ts";
import { TokenBucket } from "./token-bucket.ts";

/** The rate limits of a bus and of its subscriptions, as one hook. */
export class RateLimits {
  readonly #clock: Clock;
  readonly #bus: TokenBucket | undefined;
  readonly #buckets = new WeakMap<SubscriptionSpec, TokenBucket>();

  constructor(busLimit: RateLimit | undefined, clock: Clock) {
    this.#clock = clock;
    this.#bus = busLimit === undefined ? undefined : new TokenBucket(busLimit, clock);
  }

  limit(subscription: SubscriptionSpec, limit: RateLimit): void {
    this.#buckets.set(subscription, new TokenBucket(limit, this.#clock));
  }

  /** A subscription's limit comes first: what waits there must not use up the bus's. */
  readonly admit: Admit = (delivery, subscription) => {
    const { draining } = delivery;
    const waiting = this.#buckets.get(subscription)?.take(draining);
    if (waiting === undefined) return this.#bus?.take(draining);
    return waiting.then(() => this.#bus?.take(draining));
  };
}
