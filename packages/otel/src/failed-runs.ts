import type { RetryEvent, SubscriptionSpec } from "@bus/core";
import type { SpanContext } from "@opentelemetry/api";
import type { StoredAt } from "./span-attributes.ts";

/** A run of a handler that failed, for what comes after it. */
export interface FailedRun {
  readonly span: SpanContext;
  /** Milliseconds since the Unix epoch. */
  readonly failedAtMs: number;
  /** What was decided, once it is. */
  retry?: RetryEvent;
}

/** Failed runs that are remembered at most; what was skipped, released or given back is forgotten only by this. */
const MAX_REMEMBERED = 1_000;

/** Remembers the last failed run of messages, so that the next run, or the dead letter, points back to it. */
export class FailedRuns {
  readonly #runs = new Map<string, FailedRun>();

  get size(): number {
    return this.#runs.size;
  }

  remember(subscription: SubscriptionSpec, position: StoredAt, run: FailedRun): void {
    const [oldest] = this.#runs.keys();
    if (oldest !== undefined && this.#runs.size >= MAX_REMEMBERED) this.#runs.delete(oldest);
    this.#runs.set(idOf(subscription, position), run);
  }

  find(subscription: SubscriptionSpec, position: StoredAt): FailedRun | undefined {
    return this.#runs.size === 0 ? undefined : this.#runs.get(idOf(subscription, position));
  }

  /** Find and forget. */
  take(subscription: SubscriptionSpec, position: StoredAt): FailedRun | undefined {
    if (this.#runs.size === 0) return undefined;
    const id = idOf(subscription, position);
    const run = this.#runs.get(id);
    this.#runs.delete(id);
    return run;
  }
}

function idOf({ group }: SubscriptionSpec, { topic, partition, offset }: StoredAt): string {
  return `${topic}/${partition}@${offset} ${group}`;
}
