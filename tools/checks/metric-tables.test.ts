import { expect, it } from "vitest";
import { ALERTS, PANELS } from "./operations.ts";
import { METRIC_TABLES, unknownNames } from "./metric-tables.ts";

it("finds names that no table has, and takes a histogram's series for what they are", () => {
  const tables = [
    {
      packageName: "@bus/core",
      metrics: [
        { name: "bus_a_total", help: "h", kind: "counter", labels: [] },
        { name: "bus_b_seconds", help: "h", kind: "histogram", labels: [] },
      ],
    },
  ] as const;
  expect(unknownNames("rate(bus_a_total[5m]) / rate(bus_b_seconds_count[5m])", tables)).toEqual([]);
  expect(unknownNames("bus_b_seconds > 1 or bus_c{topic=~'bus'} > bus_c", tables)).toEqual([
    "bus_b_seconds",
    "bus_c",
  ]);
});

it("every panel and alert asks for metrics that there are", () => {
  const expressions = [
    ...PANELS.flatMap(({ queries }) => queries.map(({ expression }) => expression)),
    ...ALERTS.map(({ expression }) => expression),
  ];
  expect(expressions.length).toBeGreaterThan(20);
  expect(expressions.flatMap((each) => unknownNames(each, METRIC_TABLES))).toEqual([]);
});

it("every metric of the tables is in a panel", () => {
  const shown = PANELS.flatMap(({ queries }) => queries.map(({ expression }) => expression)).join(
    "\n",
  );
  const names = METRIC_TABLES.flatMap(({ metrics }) => metrics.map(({ name }) => name));
  expect(names.filter((name) => !shown.includes(name))).toEqual([]);
});

it("every alert has a section in the guide that says what to do", async () => {
  const { readFile } = await import("node:fs/promises");
  const guide = await readFile(new URL("../../docs/guides/operations.md", import.meta.url), "utf8");
  for (const { name } of ALERTS) expect(guide).toContain(`### ${name}\n`);
});
