import { optionTable } from "@bus/core/adapter";
import type { OptionTable } from "@bus/core/adapter";
import type {
  Attributes,
  MeterProvider,
  TextMapPropagator,
  TracerProvider,
} from "@opentelemetry/api";

/** What is handed to OpenTelemetry. */
export type OtelSignal = "traces" | "metrics";

/** Options of `otel()`. */
export interface OtelOptions {
  /** What is handed to OpenTelemetry. @defaultValue both */
  readonly signals?: readonly OtelSignal[];
  /**
   * How the span of a handler belongs to the span that published its message: `parent` makes one trace of both, `link`
   * begins a new trace that points to it. Batches always link, since they belong to many.
   *
   * @defaultValue "parent"
   */
  readonly consume?: "parent" | "link";
  /** Attributes of every span and every metric of this bus, for example to tell two buses of one process apart. @defaultValue none */
  readonly attributes?: Attributes;
  /** Makes the spans. @defaultValue the one that is registered with `@opentelemetry/api`, also when that happens later */
  readonly tracerProvider?: TracerProvider;
  /** Shows the metrics. @defaultValue the one that is registered with `@opentelemetry/api` when the bus starts */
  readonly meterProvider?: MeterProvider;
  /** Reads and writes trace context in headers. @defaultValue the one that is registered with `@opentelemetry/api`, W3C `traceparent` and `tracestate` unless said otherwise */
  readonly propagator?: TextMapPropagator;
}

/** Options of `otel()`, defaults applied. */
export interface ResolvedOtelOptions {
  readonly signals: readonly OtelSignal[];
  readonly consume: "parent" | "link";
  readonly attributes: Attributes;
  readonly tracerProvider?: TracerProvider;
  readonly meterProvider?: MeterProvider;
  readonly propagator?: TextMapPropagator;
}

/** Every default of this package. */
export const OTEL_DEFAULTS: {
  readonly signals: readonly OtelSignal[];
  readonly consume: "parent" | "link";
  readonly attributes: Attributes;
} = Object.freeze({
  signals: Object.freeze(["traces", "metrics"] as const),
  consume: "parent",
  attributes: Object.freeze({}),
});

const SIGNALS: readonly string[] = OTEL_DEFAULTS.signals;

const table: OptionTable<OtelOptions, ResolvedOtelOptions> = optionTable<
  OtelOptions,
  ResolvedOtelOptions
>({
  signals: {
    type: "list",
    default: OTEL_DEFAULTS.signals,
    description: "what is handed to OpenTelemetry: traces, metrics",
  },
  consume: {
    type: "choice",
    choices: ["parent", "link"],
    default: OTEL_DEFAULTS.consume,
    description: "whether the span that published a message is the handler's parent, or linked",
  },
  attributes: {
    type: "object",
    default: OTEL_DEFAULTS.attributes,
    description: "attributes of every span and metric of this bus",
  },
  tracerProvider: {
    type: "object",
    description: "a TracerProvider in place of the registered one",
  },
  meterProvider: { type: "object", description: "a MeterProvider in place of the registered one" },
  propagator: { type: "object", description: "a TextMapPropagator in place of the registered one" },
});

/** The schema of the options. */
export const otelOptions: OptionTable<OtelOptions, ResolvedOtelOptions> = {
  "~standard": {
    ...table["~standard"],
    validate: (given) => {
      const result = table["~standard"].validate(given);
      if (result instanceof Promise || result.issues !== undefined) return result;
      const unknown = result.value.signals.find((signal) => !SIGNALS.includes(signal));
      if (unknown === undefined) return result;
      const message = `must be of ${SIGNALS.join(", ")}, not ${unknown}`;
      return { issues: [{ message, path: ["signals"] }] };
    },
  },
};
