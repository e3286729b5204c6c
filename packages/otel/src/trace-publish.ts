import type { OutgoingMessage, PublishFunction, PublishReceipt } from "@bus/core";
import { context, SpanKind, trace } from "@opentelemetry/api";
import type { Context, Link, Span, Tracer } from "@opentelemetry/api";
import { failSpan } from "./fail-span.ts";
import { receiptAttributes, sendAttributes } from "./span-attributes.ts";
import type { SpanSurroundings } from "./span-attributes.ts";
import type { TraceContext } from "./trace-context.ts";
import type { TracerSource } from "./tracer-source.ts";

/** What tracing of publishes needs. */
export interface PublishTracing {
  readonly tracer: TracerSource;
  readonly traceContext: TraceContext;
  readonly surroundings: SpanSurroundings;
}

/** Links of one span at most, as many as SDKs keep unless told otherwise. */
export const MAX_LINKS = 128;

/**
 * Put a span around every publish and its context into the messages. Messages that belong to a trace already, such as
 * dead letters and what an outbox forwards, keep it; the span links to it, or hangs under it when nothing is active.
 */
export function tracePublish(next: PublishFunction, tracing: PublishTracing): PublishFunction {
  return (messages) => {
    const tracer = tracing.tracer();
    if (tracer === undefined || messages.length === 0) return next(messages);
    return send(next, messages, { ...tracing, use: tracer });
  };
}

async function send(
  next: PublishFunction,
  messages: readonly OutgoingMessage[],
  { use, traceContext, surroundings }: PublishTracing & { readonly use: Tracer },
): Promise<readonly PublishReceipt[]> {
  const topic = commonTopic(messages);
  const { parent, links } = belongingOf(messages, traceContext);
  const span = use.startSpan(
    topic === undefined ? "send" : `send ${topic}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: sendAttributes(surroundings, messages, topic),
      links,
    },
    parent,
  );
  const inside = trace.setSpan(parent, span);
  try {
    const receipts = await context.with(
      inside,
      next,
      undefined,
      traceContext.write(messages, inside),
    );
    tellReceipt(span, receipts, surroundings);
    return receipts;
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function tellReceipt(
  span: Span,
  receipts: readonly PublishReceipt[],
  surroundings: SpanSurroundings,
): void {
  const [receipt] = receipts;
  if (receipt === undefined || receipts.length > 1 || !span.isRecording()) return;
  span.setAttributes(receiptAttributes(surroundings, receipt));
}

/** Where a publish belongs: to what is active; to the trace of its message when nothing is, as for a dead letter. */
function belongingOf(
  messages: readonly OutgoingMessage[],
  traceContext: TraceContext,
): { readonly parent: Context; readonly links: Link[] } {
  const active = context.active();
  const [message, ...others] = messages;
  if (message === undefined || others.length > 0 || trace.getSpanContext(active) !== undefined)
    return { parent: active, links: linksOf(messages, traceContext) };
  const carried = traceContext.read(message.headers);
  return { parent: trace.getSpanContext(carried) === undefined ? active : carried, links: [] };
}

function linksOf(messages: readonly OutgoingMessage[], traceContext: TraceContext): Link[] {
  const links: Link[] = [];
  for (const { headers } of messages) {
    if (links.length === MAX_LINKS) break;
    const span = traceContext.spanOf(headers);
    if (span !== undefined) links.push({ context: span });
  }
  return links;
}

function commonTopic(messages: readonly OutgoingMessage[]): string | undefined {
  const topic = messages[0]?.topic;
  return messages.every((message) => message.topic === topic) ? topic : undefined;
}
