import type { MetricTable } from "./metric-tables.ts";
import type { Alert, Panel } from "./operations.ts";

const PANEL_WIDTH = 12;
const PANEL_HEIGHT = 8;
const REF_IDS = ["A", "B", "C", "D"];
const DATA_SOURCE = { type: "prometheus", uid: "${datasource}" } as const;

/** The Grafana dashboard. */
export function renderDashboard(panels: readonly Panel[]): string {
  const dashboard = {
    title: "@bus",
    uid: "bus",
    description: "Written by pnpm docs:metrics --update.",
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: {
      list: [{ name: "datasource", type: "datasource", query: "prometheus", label: "Data source" }],
    },
    panels: panels.map(renderPanel),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

function renderPanel({ title, unit, queries }: Panel, index: number): object {
  return {
    id: index + 1,
    title,
    type: "timeseries",
    datasource: DATA_SOURCE,
    gridPos: {
      h: PANEL_HEIGHT,
      w: PANEL_WIDTH,
      x: (index % 2) * PANEL_WIDTH,
      y: Math.floor(index / 2) * PANEL_HEIGHT,
    },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: queries.map(({ expression, legend }, at) => ({
      refId: REF_IDS[at] ?? `Q${at}`,
      datasource: DATA_SOURCE,
      expr: expression,
      legendFormat: legend,
    })),
  };
}

/** The alert rules of Prometheus. */
export function renderAlerts(alerts: readonly Alert[]): string {
  const rules = alerts.map(
    ({ name, expression, for: duration, severity, summary }) => `      - alert: ${name}
        expr: ${JSON.stringify(expression)}
        for: ${duration}
        labels:
          severity: ${severity}
        annotations:
          summary: ${JSON.stringify(summary)}
          runbook: docs/guides/operations.md#${name.toLowerCase()}
`,
  );
  return `# Written by pnpm docs:metrics --update.
groups:
  - name: bus
    rules:
${rules.join("")}`;
}

/** The reference of all metrics. */
export function renderReference(tables: readonly MetricTable[]): string {
  const sections = tables.map(({ packageName, metrics }) => {
    const rows = metrics.map(
      ({ name, kind, labels, help }) =>
        `| \`${name}\` | ${kind} | ${labels.join(", ") || "none"} | ${help} |`,
    );
    return `## ${packageName}

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
  });
  return `# Metrics

What a bus tells of itself, through \`bus.instruments\` or [@bus/metrics](../packages/metrics/README.md). Labels are topics, groups, partitions, outcomes and classes, never keys or error texts. What each alert on them means stands in [operations](guides/operations.md); a Grafana dashboard and Prometheus alert rules are in [dashboards](../dashboards).

${sections.join("\n")}
Generated from the tables of the packages by \`pnpm docs:metrics --update\`.
`;
}
