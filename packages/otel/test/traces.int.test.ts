import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEventBus } from "@bus/core";
import type { HeaderList } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import {
  context,
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace";
import { registerSdk, unregisterSdk } from "./support/sdk.ts";
import type { Sdk } from "./support/sdk.ts";
import { Orders, service, soon, textOf } from "./support/service.ts";

const EXPLICIT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let sdk: Sdk;
beforeEach(() => {
  sdk = registerSdk();
});
afterEach(unregisterSdk);

/** Publish orders to a running bus whose handler keeps what it saw. */
async function handled(
  bus: ReturnType<typeof service>,
  publish: (from: typeof bus) => Promise<unknown>,
) {
  const headers: HeaderList[] = [];
  await bus.subscribe(Orders, (message) => void headers.push(message.headers));
  await bus.start();
  const published = await publish(bus);
  const receipts = Array.isArray(published) ? published.length : 1;
  await soon(() => headers.length >= receipts, "the handler");
  await bus.close();
  return headers;
}

describe("a published message", () => {
  it("carries the span that sent it, which becomes the parent of the handler's", async () => {
    const tracer = sdk.provider.getTracer("service");
    const [headers = []] = await handled(service(), (bus) =>
      tracer.startActiveSpan("request", async (request) => {
        await bus.publish(Orders, 1, { headers: { type: "order" } });
        request.end();
      }),
    );
    const [request, send, process] = ["request", "send orders", "process orders"].map((name) =>
      sdk.span(name),
    );
    expect(send?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect(process?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
    expect(process?.spanContext().traceId).toBe(request?.spanContext().traceId);
    const { traceId, spanId } = send?.spanContext() ?? {};
    expect(textOf(headers)).toEqual([
      ["type", "order"],
      ["traceparent", `00-${traceId}-${spanId}-01`],
    ]);
  });

  it("gives its spans the attributes of the messaging conventions", async () => {
    await handled(service({ otel: { attributes: { service: "a" } } }), (bus) =>
      bus.publish(Orders, 1),
    );
    expect(sdk.span("send orders")).toMatchObject({
      kind: SpanKind.PRODUCER,
      attributes: {
        service: "a",
        "messaging.system": "memory",
        "messaging.destination.name": "orders",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.partition.id": "0",
        "messaging.message.id": "orders/0@0",
      },
    });
    expect(sdk.span("process orders")).toMatchObject({
      kind: SpanKind.CONSUMER,
      attributes: {
        service: "a",
        "messaging.system": "memory",
        "messaging.destination.name": "orders",
        "messaging.consumer.group.name": "billing",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.partition.id": "0",
        "messaging.message.id": "orders/0@0",
        "bus.delivery.attempt": 1,
      },
      status: { code: SpanStatusCode.UNSET },
      links: [],
    });
  });

  it("that says its trace itself keeps that byte for byte, nothing is there twice, and the send links to it", async () => {
    const given: readonly (readonly [string, string])[] = [
      ["a", "1"],
      ["TraceParent", EXPLICIT],
      ["a", "2"],
    ];
    const tracer = sdk.provider.getTracer("service");
    const [headers = []] = await handled(service(), (bus) =>
      tracer.startActiveSpan("outbox", async (outbox) => {
        await bus.publish(Orders, 1, { headers: given });
        outbox.end();
      }),
    );
    expect(textOf(headers)).toEqual(given);
    const outbox = sdk.span("outbox").spanContext();
    expect(sdk.span("send orders").parentSpanContext?.spanId).toBe(outbox.spanId);
    expect(sdk.span("process orders").parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(sdk.span("send orders").links).toMatchObject([
      { context: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" } },
    ]);
  });

  it("that says its trace itself is sent in that trace when nothing else is active", async () => {
    await handled(service(), (bus) =>
      bus.publish(Orders, 1, { headers: { traceparent: EXPLICIT } }),
    );
    expect(sdk.span("send orders")).toMatchObject({
      parentSpanContext: { spanId: "b7ad6b7169203331" },
      links: [],
    });
  });

  it("that says its trace itself gets no tracestate of another one", async () => {
    const active = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: "1".repeat(32),
      spanId: "2".repeat(16),
      traceFlags: TraceFlags.SAMPLED,
      traceState: createTraceState("vendor=1"),
    });
    const headers = await handled(service(), (bus) =>
      context.with(active, () =>
        Promise.all([
          bus.publish(Orders, 1, { headers: { traceparent: EXPLICIT } }),
          bus.publish(Orders, 2),
        ]),
      ),
    );
    const names = headers.map((each) => textOf(each).map(([name]) => name));
    expect(names).toEqual([["traceparent"], ["traceparent", "tracestate"]]);
  });

  it("with a tracestate of its own keeps it", async () => {
    const [headers = []] = await handled(service(), (bus) =>
      bus.publish(Orders, 1, { headers: { tracestate: "mine=1" } }),
    );
    expect(textOf(headers).filter(([name]) => name === "tracestate")).toEqual([
      ["tracestate", "mine=1"],
    ]);
    expect(textOf(headers).map(([name]) => name)).toEqual(["tracestate", "traceparent"]);
  });

  it("that cannot be stored fails its span, with the code as its type", async () => {
    const broker = memoryBroker({ partitions: 1 });
    const bus = service({ broker });
    await bus.start();
    broker.faults.failPublish({ times: 1 });
    await expect(bus.publish(Orders, 1)).rejects.toThrow("made to fail");
    await bus.close();
    const { status, attributes, events } = sdk.span("send orders");
    expect(status.code).toBe(SpanStatusCode.ERROR);
    expect(attributes["error.type"]).toBe("BUS_PUBLISH_FAILED");
    expect(events.map(({ name }) => name)).toEqual(["exception"]);
  });

  it("of an unsampled trace says so to whoever consumes it", async () => {
    unregisterSdk();
    sdk = registerSdk({ sampler: new AlwaysOffSampler() });
    const [headers = []] = await handled(service(), (bus) => bus.publish(Orders, 1));
    expect(textOf(headers)).toMatchObject([["traceparent", expect.stringMatching(/-00$/)]]);
    expect(sdk.names).toEqual([]);
  });
});

describe("a call with many messages", () => {
  it("is one span, whose context all of them carry", async () => {
    const headers = await handled(service(), (bus) => bus.publishMany(Orders, [1, 2, 3]));
    expect(sdk.span("send orders").attributes["messaging.batch.message_count"]).toBe(3);
    expect(new Set(headers.map((each) => textOf(each).join(" "))).size).toBe(1);
    const parents = sdk.spans("process orders").map(({ parentSpanContext }) => parentSpanContext);
    for (const parent of parents)
      expect(parent?.spanId).toBe(sdk.span("send orders").spanContext().spanId);
  });
});

describe("a handler", () => {
  it("runs inside its span, also after it has waited, and what it publishes belongs to it", async () => {
    const bus = service();
    const seen: (string | undefined)[] = [];
    await bus.subscribe(Orders, async ({ value }) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(trace.getActiveSpan()?.spanContext().spanId);
      if (value === 1) await bus.publish(Orders, 2);
    });
    await bus.start();
    await bus.publish(Orders, 1);
    await soon(() => seen.length === 2, "both handlers");
    await bus.close();
    const [first, second] = sdk.spans("process orders");
    expect(seen).toEqual([first?.spanContext().spanId, second?.spanContext().spanId]);
    expect(sdk.spans("send orders")[1]?.parentSpanContext?.spanId).toBe(seen[0]);
    expect(
      new Set(sdk.spans("process orders").map((span) => span.spanContext().traceId)).size,
    ).toBe(1);
  });

  it("of a message without a trace begins one, whatever was active when it was delivered", async () => {
    const broker = memoryBroker({ partitions: 1 });
    const plain = createEventBus({ transport: memory({ broker }) });
    const bus = service({ broker });
    let runs = 0;
    await bus.subscribe(Orders, () => void runs++);
    await sdk.provider.getTracer("service").startActiveSpan("boot", async (boot) => {
      await Promise.all([plain.start(), bus.start()]);
      await plain.publish(Orders, 1);
      boot.end();
    });
    await soon(() => runs === 1, "the handler");
    await Promise.all([plain.close(), bus.close()]);
    expect(sdk.span("process orders").parentSpanContext).toBeUndefined();
  });

  it("links to the sender in place of hanging under it, when that is asked for", async () => {
    await handled(service({ otel: { consume: "link" } }), (bus) => bus.publish(Orders, 1));
    const send = sdk.span("send orders").spanContext();
    const process = sdk.span("process orders");
    expect(process.parentSpanContext).toBeUndefined();
    expect(process.spanContext().traceId).not.toBe(send.traceId);
    expect(process.links).toMatchObject([{ context: { spanId: send.spanId } }]);
  });

  it("of batches links to the sender of every message", async () => {
    const bus = service();
    const sizes: number[] = [];
    await bus.subscribeBatch(Orders, (messages) => void sizes.push(messages.length), {
      maxMessages: 3,
      maxWaitMs: 1_000,
    });
    await bus.start();
    for (const value of [1, 2, 3]) await bus.publish(Orders, value);
    await soon(() => sizes.length === 1, "the batch");
    await bus.close();
    const process = sdk.span("process orders");
    expect(process.links.map((link) => link.context.spanId)).toEqual(
      sdk.spans("send orders").map((send) => send.spanContext().spanId),
    );
    expect(process.attributes["messaging.batch.message_count"]).toBe(3);
    expect(process.parentSpanContext).toBeUndefined();
  });
});
