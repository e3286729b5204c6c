import { wait } from "../adapter/wait.ts";
import type { Clock } from "../contracts/clock.ts";
import type {
  BusHealth,
  ComponentHealth,
  HealthCheck,
  HealthReport,
  HealthStatus,
} from "../contracts/health.ts";
import type { BusStatus } from "../contracts/observer.ts";
import type { GroupConsumer } from "../consume/group-consumer.ts";
import type { BusCore } from "./bus-core.ts";
import { BUS_DEFAULTS } from "./bus-options.ts";
import type { BusWatch } from "./bus-watch.ts";
import { coreFindings, messageOf } from "./health-findings.ts";
import type { Finding } from "./health-findings.ts";
import type { PublishProbe } from "./publish-probe.ts";

/** What health is computed from. */
export interface HealthSubject {
  readonly core: BusCore;
  readonly status: BusStatus;
  readonly consumers: readonly GroupConsumer[];
  readonly watch: BusWatch;
  readonly stalledAfterMs: number;
  readonly disconnectedAfterMs: number;
  readonly rebalancingAfterMs: number;
  readonly probe: PublishProbe | undefined;
}

/** Computes `bus.health()` and remembers since when each component has had its status. */
export class HealthBoard {
  readonly #since = new Map<string, { readonly status: HealthStatus; readonly sinceMs: number }>();

  async check(subject: HealthSubject): Promise<BusHealth> {
    const { core } = subject;
    const nowMs = core.clock.now();
    const [probed, ...checks] = await Promise.all([
      runProbe(subject),
      ...core.paths.healthChecks.map((check) => runCheck(check, core.clock)),
    ]);
    const components: Record<string, ComponentHealth> = {
      ...core.transport.capabilities.health?.report(),
    };
    const own = Object.entries({ ...coreFindings(subject), ...probed });
    for (const [name, finding] of [...own, ...checks])
      components[name] = this.#date(name, finding, nowMs);
    return {
      overall: worst(components),
      components,
      metrics: metricsOf(subject),
      lastCheckMs: nowMs,
    };
  }

  #date(name: string, finding: Finding, nowMs: number): ComponentHealth {
    const before = this.#since.get(name);
    const sinceMs =
      before !== undefined && before.status === finding.status ? before.sinceMs : nowMs;
    this.#since.set(name, { status: finding.status, sinceMs });
    return { ...finding, sinceMs };
  }
}

/** A bus that does not run cannot publish, and says so by itself. */
async function runProbe({
  probe,
  status,
}: HealthSubject): Promise<Readonly<Record<string, Finding>>> {
  return probe === undefined || status !== "running" ? {} : { publish: await probe.look() };
}

/** Run one check of the user's or a plugin's; a rejection is unhealthy, a hang degraded. */
async function runCheck(check: HealthCheck, clock: Clock): Promise<readonly [string, Finding]> {
  const deadline = new AbortController();
  const timer = new AbortController();
  const hung = wait(clock, BUS_DEFAULTS.healthCheckTimeoutMs, timer.signal).then(
    (elapsed): Finding => {
      if (elapsed) deadline.abort();
      return {
        status: "degraded",
        detail: `check ${check.name} did not answer within ${BUS_DEFAULTS.healthCheckTimeoutMs} ms`,
      };
    },
  );
  const answer = Promise.resolve()
    .then(() => check.check(deadline.signal))
    .catch((error: unknown): Finding => ({
      status: "unhealthy",
      detail: `check ${check.name} failed: ${messageOf(error)}`,
    }));
  const finding = await Promise.race([answer, hung]);
  timer.abort();
  return [check.name, finding];
}

function worst(components: HealthReport): HealthStatus {
  const found = new Set(Object.values(components).map(({ status }) => status));
  if (found.has("unhealthy")) return "unhealthy";
  return found.has("degraded") ? "degraded" : "healthy";
}

function metricsOf({ core, consumers }: HealthSubject): Readonly<Record<string, number>> {
  const partitions = consumers.flatMap((consumer) => consumer.partitions());
  return {
    partitions: partitions.length,
    inFlightMessages: partitions.reduce((sum, { inFlightMessages }) => sum + inFlightMessages, 0),
    failingMessages: core.reporter.failingDeliveries.length,
  };
}
