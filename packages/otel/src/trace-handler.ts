import { Skip } from "@bus/core";
import type { AnyHandler, Clock, HandlerContext, Message, SubscriptionSpec } from "@bus/core";
import { context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import type { Context, Link, Span, Tracer } from "@opentelemetry/api";
import { failSpan } from "./fail-span.ts";
import type { FailedRuns } from "./failed-runs.ts";
import { errorClassAttribute, processAttributes } from "./span-attributes.ts";
import type { SpanSurroundings } from "./span-attributes.ts";
import type { TraceContext } from "./trace-context.ts";
import { MAX_LINKS } from "./trace-publish.ts";
import type { TracerSource } from "./tracer-source.ts";

/** What tracing of handlers needs. */
export interface HandlerTracing {
  readonly tracer: TracerSource;
  readonly traceContext: TraceContext;
  readonly surroundings: SpanSurroundings;
  readonly consume: "parent" | "link";
  readonly failedRuns: FailedRuns;
  readonly clock: Clock;
}

/** One run of a handler. */
interface Run {
  readonly message: Message<unknown>;
  readonly context: HandlerContext;
  readonly subscription: SubscriptionSpec;
  readonly tracing: HandlerTracing;
}

/** Where a run's span hangs. */
interface Belonging {
  /** The handler runs in this context, with the span. */
  readonly base: Context;
  readonly links: Link[];
}

/** Put a span around every run of a handler; the handler runs inside its context. */
export function traceHandler(
  next: AnyHandler,
  subscription: SubscriptionSpec,
  tracing: HandlerTracing,
): AnyHandler {
  return (message, handlerContext) => {
    const tracer = tracing.tracer();
    if (tracer === undefined) return next(message, handlerContext);
    const run = { message, context: handlerContext, subscription, tracing };
    const { span, inside } = begin(tracer, run);
    let pending: ReturnType<AnyHandler>;
    try {
      pending = context.with(inside, next, undefined, message, handlerContext);
    } catch (error) {
      failed(span, error, run);
      throw error;
    }
    if (pending === undefined) return span.end();
    return settled(pending, span, run);
  };
}

function begin(
  tracer: Tracer,
  { message, context: { attempt, batch }, subscription, tracing }: Run,
): { readonly span: Span; readonly inside: Context } {
  const { base, links } =
    batch === undefined ? belongingOf(message, tracing) : belongingOfBatch(batch, tracing);
  const before = tracing.failedRuns.take(subscription, message);
  if (before !== undefined)
    links.push({ context: before.span, attributes: { "bus.link": "previous_attempt" } });
  const batchCount = batch?.length;
  const attributes = processAttributes(tracing.surroundings, {
    message,
    subscription,
    attempt,
    batchCount,
  });
  const name = `process ${subscription.topic}`;
  const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes, links }, base);
  if (before?.retry !== undefined) {
    const { afterMs, errorClass } = before.retry;
    span.addEvent("retry", { "bus.retry.after_ms": afterMs, ...errorClassAttribute(errorClass) });
  }
  return { span, inside: trace.setSpan(base, span) };
}

function belongingOf({ headers }: Message<unknown>, tracing: HandlerTracing): Belonging {
  const carried = tracing.traceContext.read(headers);
  const sender = trace.getSpanContext(carried);
  if (sender === undefined || tracing.consume === "parent") return { base: carried, links: [] };
  // Baggage stays, the parent does not.
  return { base: trace.deleteSpan(carried), links: [{ context: sender }] };
}

function belongingOfBatch(
  batch: readonly Message<unknown>[],
  { traceContext }: HandlerTracing,
): Belonging {
  const links: Link[] = [];
  for (const { headers } of batch) {
    if (links.length === MAX_LINKS) break;
    const sender = traceContext.spanOf(headers);
    if (sender !== undefined) links.push({ context: sender });
  }
  return { base: ROOT_CONTEXT, links };
}

async function settled(pending: Promise<void>, span: Span, run: Run): Promise<void> {
  try {
    await pending;
  } catch (error) {
    failed(span, error, run);
    throw error;
  }
  span.end();
}

function failed(span: Span, error: unknown, run: Run): void {
  const { message, context: runContext, subscription, tracing } = run;
  if (error instanceof Skip) {
    span.addEvent("skip", { "bus.skip.reason": error.message });
  } else {
    failSpan(span, error);
    const memory = { span: span.spanContext(), failedAtMs: tracing.clock.now() };
    // The messages of a failed batch run again one by one.
    for (const each of runContext.batch ?? [message])
      tracing.failedRuns.remember(subscription, each, memory);
  }
  span.end();
}
