import { BACKLOG, BusConfigError, RECOVERY } from "@bus/core";
import type {
  AnyHandler,
  FlowControl,
  PluginHost,
  RunDelivery,
  Scheduler,
  SubscriptionSpec,
} from "@bus/core";
import { AGGREGATE_METRICS } from "./aggregate-metrics.ts";
import { createLaneKey } from "./aggregate-id.ts";
import { resolveSubscriptionOptions, SUBSCRIPTION_PATH } from "./aggregate-options.ts";
import type { ResolvedAggregateOptions, SubscriptionOptions } from "./aggregate-options.ts";
import { KeyFailures } from "./key-failures.ts";
import { KeyScheduler } from "./key-scheduler.ts";
import { LanePool } from "./lane-pool.ts";
import { RateLimits } from "./rate-limits.ts";
import { RecoveryController } from "./recovery-controller.ts";

/** What is known of one subscription before its scheduler is made. */
interface PreparedSubscription {
  readonly options: SubscriptionOptions;
  readonly failures: KeyFailures;
}

/** The plugin at work in one bus: one pool of lanes for all its subscriptions, one recovery mode. */
export class AggregateEngine {
  readonly pool: LanePool;
  readonly recovery: RecoveryController;
  readonly #options: ResolvedAggregateOptions;
  readonly #host: PluginHost;
  readonly #limits: RateLimits;
  readonly #prepared = new WeakMap<SubscriptionSpec, PreparedSubscription>();
  /** Lane scopes by what they stand for; a topic that is subscribed again meets its old lanes. */
  readonly #scopes = new Map<string, string>();
  readonly #stopMetrics: () => void;
  #limiting = false;

  constructor(options: ResolvedAggregateOptions, host: PluginHost) {
    this.#options = options;
    this.#host = host;
    const { clock, instruments, logger } = host;
    this.pool = new LanePool(
      options,
      { clock, waits: instruments.histogram(AGGREGATE_METRICS.laneWait) },
      options.startMode,
    );
    this.recovery = new RecoveryController(options, {
      clock,
      logger,
      lanes: () => this.pool.counts(),
      apply: (mode) => (this.pool.mode = mode),
      report: (event) => host.reportMode(event),
    });
    this.#limits = new RateLimits(options.rateLimit, clock);
    if (options.rateLimit !== undefined) this.#limitRates();
    host.provide(RECOVERY, this.recovery);
    host.wrapHandler((next, subscription) => this.#prepare(next, subscription));
    host.provideScheduler("key", (run, spec, flow) => this.#scheduler(run, spec, flow));
    host.addHealthCheck(this.recovery.healthCheck());
    host.addHealthCheck({
      name: "lanes",
      check: () => ({ status: "healthy", detail: this.#laneDetail() }),
    });
    this.#stopMetrics = instruments.onRead(() => this.#refreshGauges());
  }

  /** Every plugin is installed now: follow the backlog detector, when there is one. */
  start(): void {
    this.recovery.follow(this.#host.find(BACKLOG));
  }

  close(): void {
    this.recovery.close();
    this.pool.close();
    this.#stopMetrics();
  }

  /** Called once per subscription, whatever its ordering, before its scheduler is made. */
  #prepare(next: AnyHandler, subscription: SubscriptionSpec): AnyHandler {
    const options = resolveSubscriptionOptions(subscription.plugins["aggregate"]);
    if (options.rateLimit !== undefined) {
      this.#limits.limit(subscription, options.rateLimit);
      this.#limitRates();
    }
    if (subscription.ordering !== "key") {
      rejectKeyOptions(options, subscription);
      return next;
    }
    const failures = new KeyFailures();
    this.#prepared.set(subscription, { options, failures });
    return failures.guardHandler(next);
  }

  #scheduler(run: RunDelivery, spec: SubscriptionSpec, flow: FlowControl): Scheduler {
    const { options, failures } = this.#prepared.get(spec) ?? {
      options: {},
      failures: new KeyFailures(),
    };
    const { aggregateIdExtractor, orderedProcessing, aggregateIdSources, aggregateIdHeader } =
      this.#options;
    const ordered = options.orderedProcessing ?? orderedProcessing;
    const rule = { sources: aggregateIdSources, header: aggregateIdHeader };
    return new KeyScheduler({
      pool: this.pool,
      run: failures.guardRun(run),
      spec,
      flow,
      promise: ordered ? "ordered" : "overlapping",
      laneKey: createLaneKey(
        this.#scopeOf(spec),
        options.aggregateIdExtractor ?? aggregateIdExtractor,
        rule,
      ),
      onKeyFailure: (delivery, error) => failures.add(delivery, error),
    });
  }

  /** The first scope is the empty one, so that a bus with one topic never builds a longer lane key. */
  #scopeOf({ group, topic }: SubscriptionSpec): string {
    const name = JSON.stringify(this.#options.keyScope === "topic" ? [group, topic] : [group]);
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    const scope = this.#scopes.size === 0 ? "" : this.#scopes.size.toString(36);
    this.#scopes.set(name, scope);
    return scope;
  }

  /** Ask for the hook when the first limit is there, so that a bus without limits has none. */
  #limitRates(): void {
    if (this.#limiting) return;
    this.#limiting = true;
    this.#host.admit(this.#limits.admit);
  }

  #laneDetail(): string {
    const { total, active, running, retrying, queued, waiting } = this.pool.numbers();
    const detail = `${active} of ${total} lanes active, ${running} handlers running, ${retrying} messages between attempts, ${queued} queued`;
    return waiting === 0 ? detail : `${detail}, ${waiting} aggregates wait for a lane`;
  }

  #refreshGauges(): void {
    const { instruments } = this.#host;
    const { total, active, idle } = this.pool.counts();
    for (const [state, value] of Object.entries({ total, active, idle })) {
      instruments.gauge(AGGREGATE_METRICS.lanes, { state }).set(value);
    }
    instruments.gauge(AGGREGATE_METRICS.recoveryMode).set(this.recovery.recovering ? 1 : 0);
  }
}

function rejectKeyOptions(
  options: SubscriptionOptions,
  { topic, ordering }: SubscriptionSpec,
): void {
  for (const name of ["aggregateIdExtractor", "orderedProcessing"] as const) {
    if (options[name] === undefined) continue;
    const path = `${SUBSCRIPTION_PATH}.${name}`;
    throw new BusConfigError(
      "BUS_CONFIG",
      `${path} of topic ${topic} needs ordering "key", got "${ordering}"`,
      {
        details: { path, value: options[name], ordering },
      },
    );
  }
}
