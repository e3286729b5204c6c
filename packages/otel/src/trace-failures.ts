import type { Delivery, Observer, SubscriptionSpec } from "@bus/core";
import { ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import type { Context, Span, Tracer } from "@opentelemetry/api";
import { failSpan } from "./fail-span.ts";
import type { FailedRun } from "./failed-runs.ts";
import { deadLetterAttributes, errorClassAttribute } from "./span-attributes.ts";
import type { HandlerTracing } from "./trace-handler.ts";

/** Notes retries for the span of the next run, and records dead letters as spans of their own. */
export function traceFailures(tracing: HandlerTracing): Observer {
  const { tracer, failedRuns, clock } = tracing;

  function deadLetterSpan(
    use: Tracer,
    [delivery, subscription]: readonly [Delivery, SubscriptionSpec],
    before: FailedRun | undefined,
  ): Span {
    const { topic, partition, offset } = delivery;
    const position = { topic, partition, offset };
    const attributes = deadLetterAttributes(tracing.surroundings, subscription, position);
    const parent = parentOf(delivery, before, tracing);
    const startTime = before?.failedAtMs ?? clock.now();
    const options = { kind: SpanKind.CLIENT, attributes, startTime };
    return use.startSpan(`dead_letter ${topic}`, options, parent);
  }

  return {
    retried(delivery, subscription, retry) {
      const before = failedRuns.find(subscription, delivery);
      if (before !== undefined) failedRuns.remember(subscription, delivery, { ...before, retry });
    },
    deadLettered(delivery, subscription, errorClass) {
      const before = failedRuns.take(subscription, delivery);
      const use = tracer();
      if (use === undefined) return;
      const span = deadLetterSpan(use, [delivery, subscription], before);
      span.setAttributes(errorClassAttribute(errorClass));
      span.end(clock.now());
    },
    deadLetterFailed(delivery, subscription, error) {
      const use = tracer();
      if (use === undefined) return;
      const before = failedRuns.find(subscription, delivery);
      const span = deadLetterSpan(use, [delivery, subscription], before);
      failSpan(span, error);
      span.end(clock.now());
    },
  };
}

/** The run that failed last; a message that could not be decoded had none and hangs where it was published. */
function parentOf(
  { headers }: Delivery,
  before: FailedRun | undefined,
  { traceContext }: HandlerTracing,
): Context {
  return before === undefined
    ? traceContext.read(headers)
    : trace.setSpanContext(ROOT_CONTEXT, before.span);
}
