import { describe, expect, it } from "vitest";
import type { Delivery } from "../contracts/delivery.ts";
import type { Admit } from "../contracts/plugin.ts";
import { createInstruments } from "../observe/instruments.ts";
import { BusReporter } from "../observe/bus-reporter.ts";
import { ObserverHub } from "../observe/observer-hub.ts";
import { fakeDelivery, fakeOwnership, settled } from "../../test/fake-delivery.ts";
import { AdmittingScheduler } from "./admission.ts";

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const spec = {
  topic: "orders",
  group: "g",
  ordering: "partition",
  concurrency: 1,
  plugins: {},
} as const;

function admitting(admits: readonly Admit[]) {
  const letIn: bigint[] = [];
  const inner = {
    schedule: (delivery: Delivery) => void letIn.push(delivery.offset),
    drained: () => Promise.resolve(),
  };
  const clock = { now: () => 0, monotonicMs: () => 0, schedule: () => () => undefined };
  const reporter = new BusReporter({
    clock,
    logger: silent,
    instruments: createInstruments(),
    hub: new ObserverHub(silent),
  });
  return { scheduler: new AdmittingScheduler(inner, { admits, spec, reporter }), letIn };
}

describe("AdmittingScheduler", () => {
  it("keeps the order of deliveries when the first of them waits", async () => {
    const gates = new Map<bigint, () => void>();
    const { scheduler, letIn } = admitting([
      ({ offset }) =>
        offset === 0n ? new Promise((resolve) => void gates.set(offset, resolve)) : undefined,
    ]);
    for (const offset of [0, 1, 2]) scheduler.schedule(fakeDelivery({ offset }));
    await settled();
    expect(letIn).toEqual([]);
    gates.get(0n)?.();
    await settled();
    expect(letIn).toEqual([0n, 1n, 2n]);
    scheduler.schedule(fakeDelivery({ offset: 3 }));
    expect(letIn).toEqual([0n, 1n, 2n, 3n]);
  });

  it("asks every hook, in order, and lets in when all have", async () => {
    const asked: string[] = [];
    const { scheduler, letIn } = admitting([
      () => (asked.push("first"), Promise.resolve()),
      () => (asked.push("second"), undefined),
    ]);
    scheduler.schedule(fakeDelivery());
    await scheduler.drained();
    expect(asked).toEqual(["first", "second"]);
    expect(letIn).toEqual([0n]);
  });

  it("lets in what a failing hook would have blocked or lost", async () => {
    const { scheduler, letIn } = admitting([
      () => {
        throw new Error("sync");
      },
      () => Promise.reject(new Error("async")),
    ]);
    scheduler.schedule(fakeDelivery());
    await settled();
    expect(letIn).toEqual([0n]);
  });

  it("does not ask for deliveries whose ownership ends: they only pass to be released", () => {
    const ownership = fakeOwnership();
    ownership.draining.abort();
    const { scheduler, letIn } = admitting([() => new Promise(() => undefined)]);
    scheduler.schedule(fakeDelivery({ ownership }));
    expect(letIn).toEqual([0n]);
  });

  it("lets what drains pass those that wait for a limit, in order, and keeps the order of the others", async () => {
    const leaving = fakeOwnership();
    const gates: (() => void)[] = [];
    const { scheduler, letIn } = admitting([
      () => new Promise((resolve) => void gates.push(resolve)),
    ]);
    scheduler.schedule(fakeDelivery({ offset: 0 }));
    for (const offset of [10, 11]) scheduler.schedule(fakeDelivery({ offset, ownership: leaving }));
    scheduler.schedule(fakeDelivery({ offset: 1 }));
    leaving.draining.abort();
    expect(letIn).toEqual([10n, 11n]);
    gates.shift()?.();
    await settled();
    gates.shift()?.();
    await settled();
    expect(letIn).toEqual([10n, 11n, 0n, 1n]);
  });
});
