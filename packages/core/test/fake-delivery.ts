import type { Delivery, HeaderList, Settlement } from "@bus/core";

/** A delivery that records how it was settled, for tests of what stands between a transport and a handler. */
export interface FakeDelivery extends Delivery {
  readonly settlements: readonly Settlement[];
}

const encoder = new TextEncoder();

/** One ownership: what `draining` and `signal` belong to. */
export interface FakeOwnership {
  readonly draining: AbortController;
  readonly signal: AbortController;
}

export function fakeOwnership(): FakeOwnership {
  return { draining: new AbortController(), signal: new AbortController() };
}

export function fakeDelivery(
  parts: {
    readonly topic?: string;
    readonly partition?: number;
    readonly offset?: number;
    readonly value?: string | null;
    readonly headers?: HeaderList;
    readonly attempt?: number;
    readonly ownership?: FakeOwnership;
  } = {},
): FakeDelivery {
  const ownership = parts.ownership ?? fakeOwnership();
  const settlements: Settlement[] = [];
  const value = parts.value === undefined ? "{}" : parts.value;
  return {
    topic: parts.topic ?? "orders",
    partition: parts.partition ?? 0,
    offset: BigInt(parts.offset ?? 0),
    timestampMs: 0,
    key: null,
    value: value === null ? null : encoder.encode(value),
    headers: parts.headers ?? [],
    attempt: parts.attempt ?? 1,
    sizeBytes: 0,
    draining: ownership.draining.signal,
    signal: ownership.signal.signal,
    settlements,
    settle(settlement) {
      if (settlements.length > 0) throw new Error("settled twice");
      settlements.push(settlement);
    },
  };
}

/** Lets everything that is ready run: promises and immediates, no time passes. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
