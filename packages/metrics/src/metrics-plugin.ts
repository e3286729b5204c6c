import { definePlugin } from "@bus/core";
import type { PluginDefinition, PluginHost, PluginInstance } from "@bus/core";
import { Registry } from "prom-client";
import { createHttpHandler } from "./http-endpoints.ts";
import type { HttpHandler } from "./http-endpoints.ts";
import { metricsOptions } from "./metrics-options.ts";
import type { MetricsOptions, ResolvedMetricsOptions } from "./metrics-options.ts";
import { startMetricsServer } from "./metrics-server.ts";
import type { MetricsServer } from "./metrics-server.ts";
import { RegistryBridge } from "./registry-bridge.ts";

/** What `metrics()` adds to a bus. */
export interface MetricsApi {
  readonly metrics: {
    /** The registry that the bus exports to. */
    readonly registry: Registry;
    /** Serves `/metrics`, `/health/live`, `/health/ready`, `/health`; mount it on a server of your own. */
    readonly handler: HttpHandler;
    /** Address of the built-in server while it listens. */
    readonly url: string | undefined;
    /** The metrics of the registry as Prometheus text. */
    scrape(): Promise<string>;
  };
}

/**
 * Export the instruments of the bus to Prometheus, and its health over HTTP.
 *
 * Costs nothing per message: instruments are plain numbers that core keeps anyway, read when somebody scrapes.
 *
 * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options, an address that cannot be listened on, and metric
 *   names that the service's registry already has.
 */
export const metrics: PluginDefinition<MetricsOptions, MetricsApi> = definePlugin({
  name: "metrics",
  options: metricsOptions,
  create: (options: ResolvedMetricsOptions) => ({
    install: (host: PluginHost) => install(host, options),
  }),
});

function install(host: PluginHost, options: ResolvedMetricsOptions): PluginInstance<MetricsApi> {
  const registry = options.registry ?? new Registry();
  const { instruments, logger } = host;
  const labels = options.defaultLabels;
  const bridge = new RegistryBridge({ registry, instruments, labels, logger });
  const scrape = (): Promise<string> => {
    // What is computed on demand may have its first series now, and must be registered before the registry is read.
    instruments.read();
    return registry.metrics();
  };
  host.observe({ statusChanged: (status) => void (status === "running" && instruments.read()) });
  const handler = createHttpHandler({
    metrics: async () => ({ contentType: registry.contentType, body: await scrape() }),
    health: () => host.health(),
  });
  let server: MetricsServer | undefined;
  return {
    api: {
      metrics: {
        registry,
        handler,
        scrape,
        get url() {
          return server?.url;
        },
      },
    },
    async start() {
      bridge.open();
      if (options.server !== undefined) server = await startMetricsServer(handler, options.server);
    },
    async close() {
      await server?.close();
      server = undefined;
      bridge.close();
    },
    describe: () => ({
      defaultLabels: options.defaultLabels,
      server: options.server,
      registry: options.registry === undefined ? "own" : "given",
    }),
  };
}
