import type { BusHealth } from "../contracts/health.ts";
import type { ModeEvent } from "../contracts/observer.ts";
import type { Plugin, PluginHost } from "../contracts/plugin.ts";
import { BusConfigError, BusError } from "../errors/bus-error.ts";
import type { BusCore } from "./bus-core.ts";
import type { InstalledPlugin } from "./bus-runtime.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What plugins are installed into. */
export interface InstallTarget {
  readonly core: BusCore;
  readonly subscriptions: Subscriptions;
  readonly group: string | undefined;
  readonly health: () => Promise<BusHealth>;
}

/**
 * Install plugins in the order given.
 *
 * @throws BusConfigError `BUS_CONFIG` for a plugin that is there twice; what a plugin throws itself (`BUS_UNSUPPORTED`)
 *   passes through, anything else becomes `BUS_PLUGIN` with the plugin's name.
 */
export function installPlugins(
  plugins: readonly Plugin<object>[],
  target: InstallTarget,
): readonly InstalledPlugin[] {
  const names = new Set<string>();
  const host = createHost(target);
  return plugins.map((plugin, index) => {
    if (plugin?.kind !== "plugin") throw notAPlugin(plugin, index);
    if (names.has(plugin.name)) throw pluginTwice(plugin.name);
    names.add(plugin.name);
    return { name: plugin.name, instance: install(plugin, host) };
  });
}

function install(plugin: Plugin<object>, host: PluginHost): InstalledPlugin["instance"] {
  try {
    return plugin.install(host);
  } catch (error) {
    if (BusError.is(error)) throw error;
    throw new BusError("BUS_PLUGIN", `plugin ${plugin.name} could not be installed`, {
      details: { plugin: plugin.name },
      cause: error,
    });
  }
}

function createHost({ core, subscriptions, group, health }: InstallTarget): PluginHost {
  const { paths, services, hub, logger } = core;
  return {
    transport: core.transport,
    clock: core.clock,
    logger,
    instruments: core.instruments,
    random: core.random,
    publish: core.publish,
    group,
    subscribe: (topic, handler, options) => subscriptions.subscribe(topic, handler, options),
    provide: (key, service) => services.provide(key, service),
    find: (key) => services.find(key),
    require: (key) => services.require(key),
    wrapPublish: (wrap) => paths.wrapPublish(wrap),
    wrapHandler: (wrap) => paths.wrapHandler(wrap),
    admit: (admit) => void paths.admits.push(admit),
    provideScheduler: (ordering, factory) => paths.provideScheduler(ordering, factory),
    onFailure: (stage, policy) => paths.onFailure(stage, policy),
    observe: (observer) => hub.add(observer),
    addHealthCheck: (check) => void paths.healthChecks.push(check),
    health,
    subscriptions: () => subscriptions.active(),
    reportMode(event: ModeEvent) {
      logger.info(`bus is in ${event.mode} mode`, { reason: event.reason, sinceMs: event.sinceMs });
      hub.notify("modeChanged", event);
    },
  };
}

function notAPlugin(value: unknown, index: number): BusConfigError {
  return new BusConfigError(
    "BUS_CONFIG",
    `plugins.${index} is not a plugin, got ${typeof value}; call its factory, for example dlq()`,
    {
      details: { path: `plugins.${index}`, value },
    },
  );
}

function pluginTwice(name: string): BusConfigError {
  return new BusConfigError("BUS_CONFIG", `plugin ${name} is given twice`, {
    details: { path: "plugins", value: name },
  });
}
