import { optionTable } from "../options/option-table.ts";
import type { OptionTable } from "../options/option-table.ts";
import { systemClock } from "../adapter/system-clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Logger } from "../contracts/logger.ts";
import type { Plugin } from "../contracts/plugin.ts";
import type { ConfiguredTransport } from "../contracts/transport.ts";
import type { PublishProbeOptions, ResolvedPublishProbe } from "./publish-probe.ts";

/** Options of a bus that configuration files can hold. */
export interface BusSettings {
  /** Default consumer group of subscriptions. Include the service's name: two services in one group steal each other's messages. */
  readonly group?: string;
  /** Topics that the group joins before they have a handler: assigned, unread, uncommitted. */
  readonly holdTopics?: readonly string[];
  /** How long `close()` waits for running handlers, in milliseconds. @defaultValue 30_000 */
  readonly drainTimeoutMs?: number;
  /** A partition is unhealthy when something is in flight and its committed offset has not moved for so long, in milliseconds. @defaultValue 60_000 */
  readonly stalledAfterMs?: number;
  /** The bus is unhealthy when it has not reached the broker for so long, in milliseconds. @defaultValue 30_000 */
  readonly disconnectedAfterMs?: number;
  /** The bus is degraded when a change of the partition assignment takes so long, in milliseconds. @defaultValue 60_000 */
  readonly rebalancingAfterMs?: number;
  /** A handler that blocks the event loop for so long, in milliseconds, degrades the bus. @defaultValue a third of the transport's session timeout; 10_000 where it has none */
  readonly loopBlockedAfterMs?: number;
  /** Prove by publishing that the broker stores messages; none when absent. */
  readonly publishProbe?: PublishProbeOptions;
}

/** Options of `createEventBus`. */
export interface EventBusOptions<TPlugins extends readonly Plugin<object>[]> extends BusSettings {
  readonly transport: ConfiguredTransport;
  readonly plugins?: TPlugins;
  /** @defaultValue real time */
  readonly clock?: Clock;
  /** @defaultValue drops everything */
  readonly logger?: Logger;
  /** Uniform in [0, 1). @defaultValue `Math.random` */
  readonly random?: () => number;
}

/** Options with every default applied. */
export interface ResolvedBusOptions {
  readonly group: string | undefined;
  readonly holdTopics: readonly string[];
  readonly drainTimeoutMs: number;
  readonly stalledAfterMs: number;
  readonly disconnectedAfterMs: number;
  readonly rebalancingAfterMs: number;
  readonly loopBlockedAfterMs: number | undefined;
  readonly publishProbe: ResolvedPublishProbe | undefined;
  readonly transport: ConfiguredTransport;
  readonly plugins: readonly Plugin<object>[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

const silentLogger: Logger = Object.freeze({
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
});

/** Every default of core, in one place. */
export const BUS_DEFAULTS: {
  readonly drainTimeoutMs: number;
  readonly concurrency: number;
  readonly maxProcessingTimeMs: number;
  readonly batchMaxMessages: number;
  readonly batchMaxWaitMs: number;
  readonly healthCheckTimeoutMs: number;
  readonly stalledAfterMs: number;
  readonly disconnectedAfterMs: number;
  readonly rebalancingAfterMs: number;
  readonly loopBlockedAfterMs: number;
  readonly loopBlockedAfterMinMs: number;
  readonly publishProbeTimeoutMs: number;
  readonly publishProbeIntervalMs: number;
} = Object.freeze({
  drainTimeoutMs: 30_000,
  concurrency: 64,
  maxProcessingTimeMs: 300_000,
  batchMaxMessages: 500,
  batchMaxWaitMs: 100,
  healthCheckTimeoutMs: 5_000,
  stalledAfterMs: 60_000,
  disconnectedAfterMs: 30_000,
  // A rebalance of Kafka ends after the rebalance timeout of its slowest member, which is a minute unless set.
  rebalancingAfterMs: 60_000,
  loopBlockedAfterMs: 10_000,
  loopBlockedAfterMinMs: 100,
  publishProbeTimeoutMs: 5_000,
  publishProbeIntervalMs: 10_000,
});

/** The schema of `createEventBus`'s options. */
export const busOptions: OptionTable<object, ResolvedBusOptions> = optionTable<
  object,
  ResolvedBusOptions
>({
  group: { type: "string", description: "default consumer group of subscriptions" },
  holdTopics: {
    type: "list",
    default: [],
    description: "topics that the group joins before they have a handler",
  },
  drainTimeoutMs: {
    type: "integer",
    min: 0,
    default: BUS_DEFAULTS.drainTimeoutMs,
    description: "how long close waits for running handlers, in milliseconds",
  },
  stalledAfterMs: {
    type: "integer",
    min: 1,
    default: BUS_DEFAULTS.stalledAfterMs,
    description: "how long a partition may stand still before it is unhealthy, in milliseconds",
  },
  disconnectedAfterMs: {
    type: "integer",
    min: 0,
    default: BUS_DEFAULTS.disconnectedAfterMs,
    description:
      "how long the broker may be out of reach before the bus is unhealthy, in milliseconds",
  },
  rebalancingAfterMs: {
    type: "integer",
    min: 0,
    default: BUS_DEFAULTS.rebalancingAfterMs,
    description: "how long a rebalance may take before the bus is degraded, in milliseconds",
  },
  loopBlockedAfterMs: {
    type: "integer",
    min: BUS_DEFAULTS.loopBlockedAfterMinMs,
    description:
      "how long the event loop may be blocked before the bus is degraded, in milliseconds; a third of the transport's session timeout when absent",
  },
  publishProbe: {
    type: "object",
    description:
      "a topic that health publishes to, to prove that the broker stores messages: topic, timeoutMs, intervalMs",
  },
  transport: { type: "object", required: true, description: "the transport, for example memory()" },
  plugins: { type: "object", default: [], description: "the plugins" },
  clock: { type: "object", default: systemClock, description: "the only source of time" },
  logger: { type: "object", default: silentLogger, description: "where the bus writes its log" },
  random: { type: "function", default: Math.random, description: "uniform in [0, 1)" },
});
