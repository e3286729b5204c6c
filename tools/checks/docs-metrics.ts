import { settleGenerated } from "./generated-file.ts";
import { METRIC_TABLES, unknownNames } from "./metric-tables.ts";
import { ALERTS, PANELS } from "./operations.ts";
import { renderAlerts, renderDashboard, renderReference } from "./render-operations.ts";
import { reportProblems } from "./report-problems.ts";

const HINT = "pnpm docs:metrics --update";

const expressions = [
  ...PANELS.flatMap(({ title, queries }) =>
    queries.map(({ expression }) => ({ where: `panel ${title}`, expression })),
  ),
  ...ALERTS.map(({ name, expression }) => ({ where: `alert ${name}`, expression })),
];
const unknown = expressions.flatMap(({ where, expression }) =>
  unknownNames(expression, METRIC_TABLES).map(
    (name) => `${where} asks for ${name}, which no table has`,
  ),
);
const settled = await Promise.all([
  settleGenerated("docs/metrics.md", renderReference(METRIC_TABLES), HINT),
  settleGenerated("dashboards/bus.json", renderDashboard(PANELS), HINT),
  settleGenerated("dashboards/alerts.yaml", renderAlerts(ALERTS), HINT),
]);
reportProblems(
  [...unknown, ...settled.filter((problem) => problem !== undefined)],
  `docs/metrics.md, ${PANELS.length} panels and ${ALERTS.length} alerts are up to date`,
);
