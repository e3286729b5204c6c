import { definePlugin } from "@bus/core";
import type { PluginDefinition, PluginHost, PluginInstance } from "@bus/core";
import { metrics } from "@opentelemetry/api";
import { FailedRuns } from "./failed-runs.ts";
import { MetricsBridge } from "./metrics-bridge.ts";
import { otelOptions } from "./otel-options.ts";
import type { OtelOptions, ResolvedOtelOptions } from "./otel-options.ts";
import { TraceContext } from "./trace-context.ts";
import { traceFailures } from "./trace-failures.ts";
import { traceHandler } from "./trace-handler.ts";
import { tracePublish } from "./trace-publish.ts";
import { SCOPE, SCOPE_VERSION, tracerSource } from "./tracer-source.ts";

/**
 * Trace messages across the broker and show the metrics of the bus on your meter, through the OpenTelemetry SDK that the
 * service has set up.
 *
 * Spans: `send <topic>` around a publish, `process <topic>` around each run of a handler, `dead_letter <topic>` while a
 * dead letter is stored. Put it first among the plugins, so that its spans are around what the others do.
 *
 * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options.
 */
export const otel: PluginDefinition<OtelOptions, object> = definePlugin({
  name: "otel",
  options: otelOptions,
  create: (options: ResolvedOtelOptions) => ({
    install: (host: PluginHost) => install(host, options),
  }),
});

function install(host: PluginHost, options: ResolvedOtelOptions): PluginInstance<object> {
  const { signals, attributes } = options;
  const warnOfLostContext = signals.includes("traces") ? installTraces(host, options) : undefined;
  let bridge: MetricsBridge | undefined;
  host.observe({
    // What is computed on demand has its first series now, and is there with the first collection.
    statusChanged: (status) => void (status === "running" && host.instruments.read()),
  });
  return {
    api: {},
    start() {
      warnOfLostContext?.();
      if (!signals.includes("metrics")) return;
      const meters = options.meterProvider ?? metrics.getMeterProvider();
      const meter = meters.getMeter(SCOPE, SCOPE_VERSION);
      bridge = new MetricsBridge({ instruments: host.instruments, meter, attributes });
      bridge.open();
    },
    close() {
      bridge?.close();
    },
    describe: () => ({ signals, consume: options.consume, attributes }),
  };
}

/** @returns What to look at when the bus starts. */
function installTraces(host: PluginHost, options: ResolvedOtelOptions): () => void {
  const { consume, attributes } = options;
  const tracer = tracerSource(options.tracerProvider);
  const traceContext = new TraceContext(options.propagator);
  const surroundings = { system: host.transport.name, attributes };
  const { clock } = host;
  const failedRuns = new FailedRuns();
  const tracing = { tracer, traceContext, surroundings, consume, failedRuns, clock };
  host.wrapPublish((next) => tracePublish(next, tracing));
  host.wrapHandler((next, subscription) => traceHandler(next, subscription, tracing));
  host.observe(traceFailures(tracing));
  return () => {
    if (tracer() !== undefined && traceContext.carriesNothing)
      host.logger.warn("no propagator is registered: traces end where messages are published");
  };
}
