import { AGGREGATE_METRICS } from "../../packages/aggregate/src/aggregate-metrics.ts";
import { BACKLOG_METRICS } from "../../packages/backlog/src/backlog-metrics.ts";
import type { InstrumentSpec } from "../../packages/core/src/contracts/instruments.ts";
import { BUS_METRICS } from "../../packages/core/src/observe/bus-metrics.ts";
import { DLQ_METRICS } from "../../packages/dlq/src/dlq-metrics.ts";

/** The metrics of one package. */
export interface MetricTable {
  readonly packageName: string;
  readonly metrics: readonly InstrumentSpec[];
}

/** Every metric that there is, by the package that keeps it. */
export const METRIC_TABLES: readonly MetricTable[] = [
  { packageName: "@bus/core", metrics: Object.values(BUS_METRICS) },
  { packageName: "@bus/aggregate", metrics: Object.values(AGGREGATE_METRICS) },
  { packageName: "@bus/backlog", metrics: Object.values(BACKLOG_METRICS) },
  { packageName: "@bus/dlq", metrics: Object.values(DLQ_METRICS) },
];

/** Names as Prometheus has them: those of the tables, and for a histogram its three series. */
export function scrapedNames(tables: readonly MetricTable[]): ReadonlySet<string> {
  return new Set(
    tables.flatMap(({ metrics }) =>
      metrics.flatMap(({ name, kind }) =>
        kind === "histogram" ? ["bucket", "sum", "count"].map((part) => `${name}_${part}`) : [name],
      ),
    ),
  );
}

/** Names of metrics in a PromQL expression that no table has. */
export function unknownNames(
  expression: string,
  tables: readonly MetricTable[],
): readonly string[] {
  const known = scrapedNames(tables);
  const used = expression.match(/\bbus_\w+/g) ?? [];
  return [...new Set(used)].filter((name) => !known.has(name));
}
