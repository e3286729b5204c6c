export { METRICS_DEFAULTS } from "./metrics-options.ts";
export { metrics } from "./metrics-plugin.ts";

export type { HttpHandler } from "./http-endpoints.ts";
export type { MetricsOptions, MetricsServerOptions } from "./metrics-options.ts";
export type { MetricsApi } from "./metrics-plugin.ts";
