export { OTEL_DEFAULTS } from "./otel-options.ts";
export { otel } from "./otel-plugin.ts";

export type { OtelOptions, OtelSignal } from "./otel-options.ts";
