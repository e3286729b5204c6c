import { z } from "zod";
import type { Registry } from "prom-client";

/** Where the built-in HTTP server listens. */
export interface MetricsServerOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  /** @defaultValue "127.0.0.1" */
  readonly host?: string;
}

/** Options of `metrics()`. */
export interface MetricsOptions {
  /** The registry to export to, shared with the rest of the service. @defaultValue one of the bus's own */
  readonly registry?: Registry;
  /** Labels put on every series of this bus, for example `{ service: "billing" }`. @defaultValue none */
  readonly defaultLabels?: Readonly<Record<string, string>>;
  /** Start a small HTTP server with the bus; none when absent (then mount `bus.metrics.handler`). */
  readonly server?: MetricsServerOptions;
}

/** Options of `metrics()`, defaults applied. */
export interface ResolvedMetricsOptions {
  readonly registry?: Registry;
  readonly defaultLabels: Readonly<Record<string, string>>;
  readonly server?: Required<MetricsServerOptions>;
}

/** Every default of this package. */
export const METRICS_DEFAULTS: {
  readonly defaultLabels: Readonly<Record<string, string>>;
  readonly host: string;
} = Object.freeze({ defaultLabels: Object.freeze({}), host: "127.0.0.1" });

/** The schema of the options. */
export const metricsOptions: z.ZodType<ResolvedMetricsOptions, MetricsOptions> = z.strictObject({
  registry: z
    .custom<Registry>(
      (value) => typeof value === "object" && value !== null && "registerMetric" in value,
      {
        message: "must be a Registry of prom-client",
      },
    )
    .optional(),
  defaultLabels: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), z.string())
    .default(METRICS_DEFAULTS.defaultLabels),
  server: z
    .strictObject({
      port: z.int().min(0).max(65_535),
      host: z.string().min(1).default(METRICS_DEFAULTS.host),
    })
    .optional(),
}) as z.ZodType<ResolvedMetricsOptions, MetricsOptions>; // zod adds `undefined` to optional members, which the types leave out
