import { definePlugin } from "@bus/core";
import type {
  Handler,
  ModeEvent,
  PluginDefinition,
  PluginHost,
  SubscribeOptions,
  Subscription,
  Topic,
} from "@bus/core";
import { AggregateEngine } from "./aggregate-engine.ts";
import { aggregateOptions } from "./aggregate-options.ts";
import type { AggregateOptions, SubscriptionOptions } from "./aggregate-options.ts";
import type { HotAggregate, LaneNumbers } from "./lane-census.ts";

/** Options of `subscribeWithAggregateId`: those of the plugin for one subscription, and those of every subscription. */
export interface AggregateSubscribeOptions
  extends SubscriptionOptions, Omit<SubscribeOptions, "ordering" | "concurrency"> {}

/** What `aggregate()` adds to a bus. */
export interface AggregateApi {
  /**
   * Handle a topic with one handler of an aggregate at a time, in order, and many aggregates at once: the same as
   * `subscribe` with ordering `key`.
   *
   * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options.
   */
  subscribeWithAggregateId<TValue>(
    topic: Topic<TValue, never>,
    handler: Handler<TValue>,
    options?: AggregateSubscribeOptions,
  ): Promise<Subscription>;
  subscribeWithAggregateId(
    topic: string,
    handler: Handler<Uint8Array | null>,
    options?: AggregateSubscribeOptions,
  ): Promise<Subscription>;
  /**
   * Set the mode by hand: `true` and `false` hold against every check until `"auto"`, which leaves the mode as it is
   * and lets checks decide again.
   */
  setRecoveryMode(mode: boolean | "auto"): void;
  isInRecoveryMode(): boolean;
  /** Hear of each change of the mode. Returns a function that unsubscribes; a listener that throws is logged. */
  onModeChange(listener: (event: ModeEvent) => void): () => void;
  /** The load of the lanes now. O(lanes). */
  lanes(): LaneNumbers;
  /** The aggregates with most messages queued, most first. O(lanes). */
  hotAggregates(count: number): readonly HotAggregate[];
}

/** Aggregates in `bus.inspect()`. */
const HOT_AGGREGATES_SHOWN = 10;

/**
 * Ordering `key`: messages of one aggregate in order, one handler at a time; recovery mode, which keeps aggregates in
 * lanes while there is a backlog; rate limits.
 *
 * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options.
 */
export const aggregate: PluginDefinition<AggregateOptions, AggregateApi> = definePlugin({
  name: "aggregate",
  options: aggregateOptions,
  create: (options) => ({
    install(host: PluginHost) {
      const engine = new AggregateEngine(options, host);
      return {
        api: apiOf(engine, host),
        start: () => engine.start(),
        close: () => engine.close(),
        inspect: () => ({
          recovering: engine.recovery.recovering,
          lanes: engine.pool.numbers(),
          hotAggregates: engine.pool.hottest(HOT_AGGREGATES_SHOWN),
        }),
      };
    },
  }),
});

function apiOf({ recovery, pool }: AggregateEngine, host: PluginHost): AggregateApi {
  return {
    subscribeWithAggregateId: <TValue>(
      topic: Topic<TValue, never> | string,
      handler: Handler<TValue>,
      options: AggregateSubscribeOptions = {},
    ) => {
      const { group, startFrom, maxProcessingTimeMs, plugins, ...forAggregate } = options;
      const given = { group, startFrom, maxProcessingTimeMs };
      return host.subscribe(topic, handler, {
        ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
        ordering: "key",
        plugins: { ...plugins, aggregate: forAggregate },
      });
    },
    setRecoveryMode: (mode) => recovery.set(mode),
    isInRecoveryMode: () => recovery.recovering,
    onModeChange: (listener) => recovery.onModeChange(listener),
    lanes: () => pool.numbers(),
    hotAggregates: (count) => pool.hottest(count),
  };
}
