import { BACKLOG, BusConfigError, definePlugin } from "@bus/core";
import type {
  BacklogVerdict,
  HealthCheck,
  LagReader,
  PluginDefinition,
  PluginHost,
} from "@bus/core";
import { BacklogDetector } from "./backlog-detector.ts";
import { BacklogGauges } from "./backlog-metrics.ts";
import { backlogOptions } from "./backlog-options.ts";
import type { BacklogCallback, BacklogOptions, ResolvedBacklogOptions } from "./backlog-options.ts";
import type { BacklogReport } from "./backlog-report.ts";
import { LagPoller } from "./lag-poller.ts";
import { Listeners } from "./listeners.ts";
import { PublisherPressure } from "./publisher-pressure.ts";
import type { PublisherReport, Severity } from "./publisher-pressure.ts";

/** The publish side: how much was handed over and not yet acknowledged. */
export interface PublisherBacklog {
  /** `backlog` when a limit is reached. */
  readonly verdict: BacklogVerdict;
  readonly severity: Severity;
  /** Every measure now, and the one that decides. */
  detail(): PublisherReport;
  /** Hear, after a check, that the severity has changed. Returns a function that unsubscribes. */
  onPressure(listener: (report: PublisherReport) => unknown): () => void;
}

/** The backlog of a bus: `bus.backlog`. */
export interface Backlog {
  /** The verdict of the newest check; `unknown` before the first. */
  readonly verdict: BacklogVerdict;
  /**
   * Check now, or share the check that runs.
   *
   * @throws BusError `BUS_ABORTED` when the signal aborts first; BusClosedError `BUS_CLOSED` after close.
   */
  check(signal?: AbortSignal): Promise<BacklogVerdict>;
  /** What the newest check found; `undefined` before the first. */
  detail(): BacklogReport | undefined;
  /** Check now: `true` only for `clear`, so neither with a backlog nor when it cannot be told. Throws as `check`. */
  isNoBacklog(signal?: AbortSignal): Promise<boolean>;
  /** Hear that a backlog begins. Returns a function that unsubscribes, as the next two do. */
  onBacklog(listener: BacklogCallback): () => void;
  /** Hear that a backlog has ended. */
  onClear(listener: BacklogCallback): () => void;
  /** Hear of every check. */
  onCheck(listener: BacklogCallback): () => void;
  readonly publisher: PublisherBacklog;
}

/** What `backlog()` adds to a bus. */
export interface BacklogApi {
  readonly backlog: Backlog;
}

/**
 * Detect when a service is behind: lag in messages and in time, checked at intervals, with callbacks, metrics, health,
 * and the service that switches the recovery mode of `@bus/aggregate`.
 *
 * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options; at install `BUS_UNSUPPORTED` when the transport has
 *   no capability `lag`.
 */
export const backlog: PluginDefinition<BacklogOptions, BacklogApi> = definePlugin({
  name: "backlog",
  options: backlogOptions,
  create: (options) => ({
    install(host: PluginHost) {
      const { detector, api } = assemble(options, host);
      host.provide(BACKLOG, detector);
      host.addHealthCheck(healthCheck(detector));
      // From the moment on at which every group has joined: before it, topics may not exist yet.
      host.observe({
        statusChanged: (status) => (status === "running" ? detector.start() : undefined),
      });
      return { api: { backlog: api }, close: () => detector.close() };
    },
  }),
});

interface Assembled {
  readonly detector: BacklogDetector;
  readonly api: Backlog;
}

function assemble(options: ResolvedBacklogOptions, host: PluginHost): Assembled {
  const { clock, logger, random, instruments } = host;
  const reader = requireLag(host);
  const poller = new LagPoller(
    { reader, clock, subscriptions: () => host.subscriptions() },
    options,
  );
  const detector = new BacklogDetector(options, { poller, clock, logger, random });
  const gauges = new BacklogGauges(instruments);
  detector.checkListeners.add((report) => gauges.show(report));
  if (options.onBacklog !== undefined) detector.backlogListeners.add(options.onBacklog);
  if (options.onClear !== undefined) detector.clearListeners.add(options.onClear);
  if (options.onCheck !== undefined) detector.checkListeners.add(options.onCheck);
  return { detector, api: apiOf(detector, watchPublisher(options, host, detector)) };
}

function watchPublisher(
  options: ResolvedBacklogOptions,
  host: PluginHost,
  detector: BacklogDetector,
): PublisherBacklog {
  const pressure = new PublisherPressure(options.publisher, host.clock);
  const listeners = new Listeners<PublisherReport>("onPublisherPressure", host.logger);
  if (options.onPublisherPressure !== undefined) listeners.add(options.onPublisherPressure);
  host.wrapPublish((next) => pressure.wrap(next));
  let severity: Severity = "normal";
  detector.checkListeners.add(() => {
    pressure.closeWindow();
    const report = pressure.report();
    if (report.severity === severity) return;
    severity = report.severity;
    listeners.tell(report);
  });
  return {
    get verdict() {
      return pressure.report().verdict;
    },
    get severity() {
      return pressure.report().severity;
    },
    detail: () => pressure.report(),
    onPressure: (listener) => listeners.add(listener),
  };
}

function apiOf(detector: BacklogDetector, publisher: PublisherBacklog): Backlog {
  return Object.freeze({
    get verdict() {
      return detector.verdict;
    },
    check: (signal?: AbortSignal) => detector.check(signal),
    detail: () => detector.report,
    isNoBacklog: async (signal?: AbortSignal) => (await detector.check(signal)) === "clear",
    onBacklog: (listener: BacklogCallback) => detector.backlogListeners.add(listener),
    onClear: (listener: BacklogCallback) => detector.clearListeners.add(listener),
    onCheck: (listener: BacklogCallback) => detector.checkListeners.add(listener),
    publisher,
  });
}

function requireLag({ transport }: PluginHost): LagReader {
  const { lag } = transport.capabilities;
  if (lag !== undefined) return lag;
  throw new BusConfigError(
    "BUS_UNSUPPORTED",
    `plugin backlog needs the capability lag, which transport ${transport.name} does not have`,
    {
      details: { plugin: "backlog", transport: transport.name, capability: "lag" },
    },
  );
}

function healthCheck(detector: BacklogDetector): HealthCheck {
  return {
    name: "backlog",
    check: () => {
      const { report } = detector;
      if (report === undefined) return { status: "healthy", detail: "not checked yet" };
      const { verdict, totalLagMessages, unknown } = report;
      const behind = `${totalLagMessages} messages behind`;
      if (verdict === "backlog") return { status: "degraded", detail: `backlog: ${behind}` };
      if (verdict === "clear") return { status: "healthy", detail: behind };
      return {
        status: "degraded",
        detail: `lag of ${unknown.length} partitions or topics could not be read; ${behind} elsewhere`,
      };
    },
  };
}
