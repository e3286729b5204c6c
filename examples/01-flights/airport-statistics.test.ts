import { expect, it } from "vitest";
import { AirportStatistics } from "./airport-statistics.ts";

it("counts flights and knows mean and 95th percentile of the delays per airport, busiest first", () => {
  const statistics = new AirportStatistics();
  const fly = (origin: string, delay: number): void =>
    statistics.add({ origin, delay, destination: "X", distance: 1, date: "" });
  for (let delay = 1; delay <= 100; delay++) fly("DFW", delay);
  fly("ORD", -3);
  expect(statistics.busiest(5)).toEqual([
    { airport: "DFW", flights: 100, meanDelay: 50.5, p95Delay: 95 },
    { airport: "ORD", flights: 1, meanDelay: -3, p95Delay: -3 },
  ]);
});
