import { describe, expect, it } from "vitest";
import { manualClock } from "@bus/testkit";
import { fakeDelivery } from "../../test/fake-delivery.ts";
import { BUS_METRICS } from "./bus-metrics.ts";
import { createInstruments } from "./instruments.ts";
import { LoopGuard } from "./loop-guard.ts";

const spec = {
  topic: "orders",
  group: "billing",
  ordering: "partition",
  concurrency: 1,
  plugins: {},
} as const;

function guarded() {
  const clock = manualClock();
  const instruments = createInstruments();
  const warnings: unknown[] = [];
  const drop = (): void => undefined;
  const logger = {
    debug: drop,
    info: drop,
    error: drop,
    warn: (message: string, fields: unknown) => void warnings.push([message, fields]),
  };
  const guard = new LoopGuard({ clock, logger, instruments, blockedAfterMs: 2_000 });
  guard.tick();
  /** Let the loop be blocked for so long before the next tick. */
  const tickLateBy = (lateMs: number): void => {
    clock.advance(guard.tickMs + lateMs);
    guard.tick();
  };
  const gauge = () =>
    instruments.read().find((sample) => sample.spec === BUS_METRICS.loopBlocked)?.value;
  return { clock, guard, warnings, tickLateBy, gauge };
}

describe("LoopGuard", () => {
  it("says nothing while its ticks come in time, or late by less than the limit", () => {
    const { guard, warnings, tickLateBy, gauge } = guarded();
    for (const lateMs of [0, 5, 0, 1_000]) tickLateBy(lateMs);
    expect([guard.lately, warnings, gauge()]).toEqual([undefined, [], 0]);
  });

  it("tells of a block in time, names the handler that ran longest meanwhile, and forgets it after a minute", () => {
    const { clock, guard, warnings, tickLateBy, gauge } = guarded();
    clock.advance(3_000);
    guard.ranLong(fakeDelivery({ topic: "orders", partition: 2, offset: 7 }), spec, 3_000);
    guard.ranLong(fakeDelivery({ topic: "orders", partition: 1, offset: 8 }), spec, 60);
    tickLateBy(0);
    expect(guard.lately).toMatchObject({ handler: "orders/2@7 of billing", lastedMs: 3_000 });
    expect(warnings).toEqual([
      ["the event loop was blocked", { lastedMs: 3_000, handler: "orders/2@7 of billing" }],
    ]);
    expect(gauge()).toBe(3);
    clock.advance(60_000);
    expect([guard.lately, gauge()]).toEqual([undefined, 0]);
  });

  it("does not blame a handler that had ended before the block began", () => {
    const { guard, tickLateBy } = guarded();
    guard.ranLong(fakeDelivery(), spec, 100);
    tickLateBy(0);
    tickLateBy(5_000);
    expect(guard.lately).toMatchObject({ handler: undefined, lastedMs: 5_000 });
  });
});
