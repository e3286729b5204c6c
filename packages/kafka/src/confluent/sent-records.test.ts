import { BusTransportError } from "@bus/core";
import { manualClock } from "@bus/testkit";
import { describe, expect, it } from "vitest";
import type { OutgoingRecord } from "../kafka-driver.ts";
import { SentRecords } from "./sent-records.ts";

function setUp() {
  const clock = manualClock();
  const outcomes: string[] = [];
  const sent = new SentRecords({
    clock,
    overdue: ({ isHandedOver }) =>
      new BusTransportError("BUS_TRANSPORT", isHandedOver ? "unknown" : "unsent"),
  });
  const record = (name: string, deadlineAtMs: number): OutgoingRecord => ({
    topic: name,
    partition: 0,
    key: null,
    value: null,
    headers: [],
    timestampMs: 0,
    sizeBytes: 0,
    deadlineAtMs,
    stored: (offset) => outcomes.push(`${name} stored at ${offset}`),
    failed: (error) => outcomes.push(`${name} ${error.message}`),
  });
  return { clock, outcomes, sent, record };
}

describe("SentRecords", () => {
  it("settles a record once, whatever is told about it later", () => {
    const { sent, record, outcomes } = setUp();
    const one = sent.add(record("a", 10));
    sent.stored(one, 7);
    sent.stored(one, 8);
    sent.failed(one, new BusTransportError("BUS_TRANSPORT", "late"));
    expect(outcomes).toEqual(["a stored at 7"]);
    expect(sent.isEmpty).toBe(true);
  });

  it("fails what is overdue, in order, with the word whether it was handed over", () => {
    const { sent, record, outcomes, clock } = setUp();
    sent.add(record("a", 10)).isHandedOver = true;
    sent.add(record("b", 10));
    sent.add(record("c", 30));
    clock.advance(9);
    expect(outcomes).toEqual([]);
    clock.advance(1);
    expect(outcomes).toEqual(["a unknown", "b unsent"]);
    clock.advance(20);
    expect(outcomes).toEqual(["a unknown", "b unsent", "c unsent"]);
  });

  it("has one timer for all records, and none once all are settled and it has run out", () => {
    const { sent, record, clock } = setUp();
    const all = Array.from({ length: 100 }, (_, index) => sent.add(record(`${index}`, 50 + index)));
    expect(clock.pending).toBe(1);
    for (const one of all) sent.stored(one, 0);
    clock.advance(50);
    expect(clock.pending).toBe(0);
    sent.add(record("again", 500));
    expect(clock.pending).toBe(1);
  });

  it("resolves settled() when all records up to then are settled, later ones do not matter", async () => {
    const { sent, record } = setUp();
    const first = sent.add(record("a", 10));
    const second = sent.add(record("b", 10));
    let isSettled = false;
    const settled = sent.settled().then(() => (isSettled = true));
    sent.add(record("c", 10));
    sent.stored(second, 1);
    await Promise.resolve();
    expect(isSettled).toBe(false);
    sent.stored(first, 0);
    await settled;
    expect(isSettled).toBe(true);
  });

  it("keeps count over many records, settled out of order", async () => {
    const { sent, record } = setUp();
    const all = Array.from({ length: 5_000 }, (_, index) => sent.add(record(`${index}`, 10)));
    const settled = sent.settled();
    for (const one of all.toReversed()) sent.stored(one, 0);
    await settled;
    expect(sent.isEmpty).toBe(true);
  });

  it("settles what is left when it is closed, and leaves no timer", () => {
    const { sent, record, outcomes, clock } = setUp();
    sent.add(record("a", 10));
    sent.close(() => new BusTransportError("BUS_TRANSPORT", "closed"));
    expect(outcomes).toEqual(["a closed"]);
    expect(clock.pending).toBe(0);
  });
});
