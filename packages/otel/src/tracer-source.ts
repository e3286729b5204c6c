import { ProxyTracerProvider, trace } from "@opentelemetry/api";
import type { Tracer, TracerProvider } from "@opentelemetry/api";

/** The name of this package as instrumentation scope. */
export const SCOPE = "@bus/otel";
/** The version of this package, as in its package.json (a test compares them). */
export const SCOPE_VERSION = "0.1.0";

/**
 * The tracer to use now; `undefined` while no tracer provider is registered, so that nothing at all has to be done for a
 * message then. One that is registered later is found with the next message.
 */
export type TracerSource = () => Tracer | undefined;

/** Find the tracer of a provider, or of the one that is or will be registered. */
export function tracerSource(provider: TracerProvider | undefined): TracerSource {
  const source = provider ?? trace.getTracerProvider();
  if (!(source instanceof ProxyTracerProvider)) {
    const tracer = source.getTracer(SCOPE, SCOPE_VERSION);
    return () => tracer;
  }
  let found: Tracer | undefined;
  return () => (found ??= source.getDelegateTracer(SCOPE, SCOPE_VERSION));
}
