import { describe, expect, it } from "vitest";
import type { InstrumentSpec } from "../contracts/instruments.ts";
import { BUS_METRICS } from "./bus-metrics.ts";
import { createInstruments } from "./instruments.ts";

const seconds: InstrumentSpec = {
  name: "bus_x_seconds",
  help: "h",
  kind: "histogram",
  labels: ["topic"],
  buckets: [0.1, 1],
};

describe("instruments", () => {
  it("return the same series for the same spec and labels, another one for other labels", () => {
    const instruments = createInstruments();
    instruments.counter(BUS_METRICS.published, { topic: "a", outcome: "stored" }).add(2);
    instruments.counter(BUS_METRICS.published, { outcome: "stored", topic: "a" }).add(1);
    instruments.counter(BUS_METRICS.published, { topic: "b", outcome: "stored" }).add(5);
    expect(instruments.read().map(({ labels, value }) => [labels.topic, value])).toEqual([
      ["a", 3],
      ["b", 5],
    ]);
  });

  it("put a recording into the first bucket that holds it", () => {
    const instruments = createInstruments();
    const histogram = instruments.histogram(seconds, { topic: "a" });
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.record(value);
    expect(instruments.read()[0]).toMatchObject({ bucketCounts: [2, 1, 1], value: 7.65 });
  });

  it("refresh computed gauges before a read, until told not to", () => {
    const instruments = createInstruments();
    let value = 1;
    const stop = instruments.onRead(() => instruments.gauge(BUS_METRICS.connected).set(value));
    expect(instruments.read()[0]?.value).toBe(1);
    value = 2;
    expect(instruments.read()[0]?.value).toBe(2);
    stop();
    value = 3;
    expect(instruments.read()[0]?.value).toBe(2);
  });

  it("reject labels that were not declared and a kind that the metric is not", () => {
    const instruments = createInstruments();
    expect(() => instruments.counter(BUS_METRICS.published, { partition: "1" })).toThrowError(
      /bus_messages_published_total has no label partition/,
    );
    expect(() => instruments.gauge(BUS_METRICS.published)).toThrowError(
      /is a counter, not a gauge/,
    );
  });
});
