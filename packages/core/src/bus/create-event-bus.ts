import type { Plugin } from "../contracts/plugin.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import { maskSecrets } from "../options/mask-secrets.ts";
import { validateOptions } from "../options/validate-options.ts";
import { createBusCore } from "./bus-core.ts";
import { BUS_DEFAULTS, busOptions } from "./bus-options.ts";
import type { EventBusOptions, ResolvedBusOptions } from "./bus-options.ts";
import { BusWatch } from "./bus-watch.ts";
import { BusRuntime } from "./bus-runtime.ts";
import type { BusRuntimeParts, InstalledPlugin } from "./bus-runtime.ts";
import type { EventBus } from "./event-bus.ts";
import { inspectBus } from "./inspect-bus.ts";
import { installPlugins } from "./install-plugins.ts";
import { exportPartitionGauges } from "./partition-gauges.ts";
import { resolvePublishProbe } from "./publish-probe.ts";
import { readLag } from "./read-lag.ts";
import { Subscriptions } from "./subscriptions.ts";

/** The members that a list of plugins adds to a bus. */
export type PluginApis<TPlugins extends readonly Plugin<object>[]> = UnionToIntersection<
  ApiOf<TPlugins[number]>
>;

type ApiOf<TPlugin> = TPlugin extends Plugin<infer Api> ? Api : never;
type UnionToIntersection<TUnion> = (
  TUnion extends unknown ? (member: TUnion) => void : never
) extends (all: infer All) => void
  ? All
  : never;

/** A bus with the members of its plugins. */
export type BusWith<TPlugins extends readonly Plugin<object>[]> = [TPlugins[number]] extends [never]
  ? EventBus
  : EventBus & PluginApis<TPlugins>;

/**
 * Put a bus together: a transport and the plugins it wants. No I/O before `start()`.
 *
 * @throws BusConfigError `BUS_CONFIG` for an unknown or wrong option, a missing transport, a plugin given twice or two
 *   plugins that add the same name; `BUS_UNSUPPORTED` when a plugin needs a capability that the transport lacks.
 */
export function createEventBus<const TPlugins extends readonly Plugin<object>[] = readonly []>(
  options: EventBusOptions<TPlugins>,
): BusWith<TPlugins> {
  const resolved = resolveOptions(options);
  const core = createBusCore(resolved);
  const { group } = resolved;
  const subscriptions = new Subscriptions(core, {
    defaultGroup: group,
    pluginNames: resolved.plugins.map(({ name }) => name),
  });
  const plugins = installPlugins(resolved.plugins, {
    core,
    subscriptions,
    group,
    health: () => bus.health(),
  });
  for (const topic of resolved.holdTopics) subscriptions.hold(topic);
  const watch = new BusWatch(core, subscriptions);
  exportPartitionGauges(core, subscriptions, watch);
  const bus: EventBus = facade({ core, subscriptions, plugins, watch, options: resolved });
  for (const plugin of plugins) addApi(bus, plugin);
  return Object.freeze(bus) as BusWith<TPlugins>; // addApi has just defined what the plugins' types promise
}

function resolveOptions(options: unknown): ResolvedBusOptions {
  const resolved = validateOptions(busOptions, options, "createEventBus");
  if (resolved.transport.kind !== "transport" || typeof resolved.transport.create !== "function") {
    throw new BusConfigError(
      "BUS_CONFIG",
      "createEventBus.transport must be a transport, for example memory()",
      {
        details: { path: "createEventBus.transport", value: resolved.transport },
      },
    );
  }
  const { publishProbe } = resolved;
  if (publishProbe === undefined) return resolved;
  return { ...resolved, publishProbe: resolvePublishProbe(publishProbe, BUS_DEFAULTS) };
}

function facade(parts: BusRuntimeParts): EventBus {
  const { core, options } = parts;
  const runtime = new BusRuntime(parts);
  return {
    publish: runtime.publish.bind(runtime),
    publishMany: runtime.publishMany.bind(runtime),
    subscribe: runtime.subscribe.bind(runtime),
    subscribeBatch: runtime.subscribeBatch.bind(runtime),
    stream: runtime.stream.bind(runtime),
    transaction: runtime.transaction.bind(runtime),
    get status() {
      return runtime.status;
    },
    instruments: core.instruments,
    health: () => runtime.health(),
    addHealthCheck: (check) => void core.paths.healthChecks.push(check),
    observe: (observer) => core.hub.add(observer),
    describe: () => describeBus(parts),
    inspect: () => inspectBus(parts, runtime.status),
    lag: async (query) => readLag(parts, options, query),
    start: () => runtime.start(),
    close: (closing) => runtime.close(closing?.drainTimeoutMs),
    [Symbol.asyncDispose]: async () => void (await runtime.close(undefined)),
  };
}

function describeBus({
  core,
  plugins,
  subscriptions,
  options,
}: BusRuntimeParts): Readonly<Record<string, unknown>> {
  const { transport, group, drainTimeoutMs, holdTopics } = options;
  const { stalledAfterMs, disconnectedAfterMs, rebalancingAfterMs, publishProbe } = options;
  return {
    group,
    drainTimeoutMs,
    stalledAfterMs,
    disconnectedAfterMs,
    rebalancingAfterMs,
    loopBlockedAfterMs: core.loopGuard.blockedAfterMs,
    publishProbe,
    holdTopics,
    transport: {
      name: transport.name,
      options: maskSecrets(transport.options),
      client: maskSecrets(core.transport.capabilities.description?.describe()),
    },
    plugins: Object.fromEntries(
      plugins.map(({ name, instance }, index) => [
        name,
        maskSecrets(instance.describe?.() ?? options.plugins[index]?.options),
      ]),
    ),
    subscriptions: subscriptions.active().map(({ spec }) => maskSecrets({ ...spec })),
  };
}

function addApi(bus: EventBus, { name, instance }: InstalledPlugin): void {
  for (const [member, descriptor] of Object.entries(
    Object.getOwnPropertyDescriptors(instance.api),
  )) {
    if (member in bus) {
      throw new BusConfigError(
        "BUS_CONFIG",
        `plugin ${name} adds ${member}, which the bus already has`,
        {
          details: { path: `plugins.${name}`, value: member },
        },
      );
    }
    Object.defineProperty(bus, member, descriptor);
  }
}
