import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { ReadableSpan, Sampler } from "@opentelemetry/sdk-trace";

/** An SDK as a service sets it up, with the spans that have ended. */
export interface Sdk {
  readonly provider: TracerProvider;
  /** Ended spans of a name, in the order of their end. */
  spans(name: string): readonly ReadableSpan[];
  /** The only ended span of a name. */
  span(name: string): ReadableSpan;
  readonly names: readonly string[];
}

/** Register a tracer provider, W3C propagation and a context manager for the process. */
export function registerSdk(options: { readonly sampler?: Sampler } = {}): Sdk {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  const provider = new TracerProvider({ spanProcessors, ...options });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const ended = (): readonly ReadableSpan[] => exporter.getFinishedSpans();
  const spans = (name: string) => ended().filter((span) => span.name === name);
  return {
    provider,
    spans,
    span(name) {
      const [found, ...others] = spans(name);
      if (found === undefined || others.length > 0)
        throw new Error(
          `${others.length + (found ? 1 : 0)} spans ${name}; ended: ${names(ended())}`,
        );
      return found;
    },
    get names() {
      return ended().map(({ name }) => name);
    },
  };
}

/** Take back everything that was registered. */
export function unregisterSdk(): void {
  trace.disable();
  propagation.disable();
  context.disable();
  metrics.disable();
}

function names(spans: readonly ReadableSpan[]): string {
  return spans.map(({ name }) => name).join(", ");
}
