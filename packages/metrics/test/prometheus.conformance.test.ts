import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { aggregate } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import { createEventBus } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory } from "@bus/memory";
import { until } from "@bus/testkit";
import { metrics } from "@bus/metrics";
import { beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { checkRules, requirePrometheus, startPrometheus } from "./support/prometheus.ts";
import type { Prometheus } from "./support/prometheus.ts";
import { numbers, Orders } from "./support/service.ts";

const RULES = fileURLToPath(new URL("../../../dashboards/alerts.yaml", import.meta.url));
const DASHBOARD = new URL("../../../dashboards/bus.json", import.meta.url);
const soon = { timeoutMs: 30_000, intervalMs: 250 };

const dashboardFile = z.object({
  panels: z.array(
    z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) }),
  ),
});
const queryAnswer = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z.object({ result: z.array(z.unknown()) }).optional(),
});
const rulesAnswer = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({ name: z.string(), health: z.string(), state: z.string().optional() }),
        ),
      }),
    ),
  }),
});

beforeAll(requirePrometheus);

/** A service in trouble: every third order cannot be handled, a topic has no handler, the rest takes its time. */
async function troubledService() {
  const bus = createEventBus({
    group: "billing",
    transport: memory({ partitions: 2 }),
    holdTopics: ["returns"],
    plugins: [
      aggregate({ startMode: "normal" }),
      backlog({ maxLagMessages: 10, checkIntervalMs: 200 }),
      dlq({ retry: { attempts: 2, baseMs: 10, maxMs: 10, jitter: 0 } }),
      metrics({ server: { port: 0 } }),
    ],
  });
  await bus.subscribeWithAggregateId(Orders, ({ value }) => {
    if (value % 3 === 0) throw new Error("out of stock");
    return new Promise((resolve) => setTimeout(resolve, 5));
  });
  await bus.start();
  return bus;
}

async function rulesOf(prometheus: Prometheus) {
  const { data } = rulesAnswer.parse(await prometheus.api("rules"));
  return data.groups.flatMap(({ rules }) => rules);
}

it("promtool accepts every alert rule", async () => {
  const count = (await readFile(RULES, "utf8")).split("- alert:").length - 1;
  expect(await checkRules(RULES)).toContain(`SUCCESS: ${count} rules found`);
});

it("a real Prometheus scrapes a service in trouble, answers every panel, evaluates every rule and calls somebody", async () => {
  await using bus = await troubledService();
  const target = new URL(bus.metrics.url ?? "").host;
  await using prometheus = await startPrometheus(target, RULES);
  const query = async (expression: string) =>
    queryAnswer.parse(await prometheus.api(`query?query=${encodeURIComponent(expression)}`));

  await until(async () => (await query("up == 1")).data?.result.length === 1, {
    ...soon,
    what: "the first scrape",
    state: () => target,
  });
  // A counter that comes into being with its first dead letter must call somebody for it.
  await bus.publishMany(Orders, numbers(60));
  await until(
    async () =>
      (await rulesOf(prometheus)).some(
        ({ name, state }) => name === "BusDeadLetters" && state === "firing",
      ),
    { ...soon, what: "the alert of the dead letters" },
  );
  await until(async () => (await rulesOf(prometheus)).every(({ health }) => health === "ok"), {
    ...soon,
    what: "every rule to be evaluated",
  });
  expect((await rulesOf(prometheus)).find(({ name }) => name === "BusTopicHeld")?.state).toBe(
    "pending",
  );
  expect((await rulesOf(prometheus)).find(({ name }) => name === "BusDisconnected")?.state).toBe(
    "inactive",
  );

  const dashboard = dashboardFile.parse(JSON.parse(await readFile(DASHBOARD, "utf8")));
  const emptyPanels = async (): Promise<readonly string[]> => {
    const empty: string[] = [];
    for (const { title, targets } of dashboard.panels) {
      const answers = await Promise.all(
        targets.map(({ expr }) => query(expr.replaceAll("$__rate_interval", "1m"))),
      );
      expect(answers.map(({ status, error }) => ({ title, status, error }))).toEqual(
        targets.map(() => ({ title, status: "success", error: undefined })),
      );
      if (answers.every(({ data }) => data?.result.length === 0)) empty.push(title);
    }
    return empty;
  };
  let empty: readonly string[] = [];
  // Rates need two scrapes.
  const isFull = async (): Promise<boolean> => (empty = await emptyPanels()).length === 0;
  await until(isFull, { ...soon, what: "every panel to have data", state: () => empty });
});
