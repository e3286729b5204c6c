import { createEventBus, defineTopic, Poison } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import { otel } from "@bus/otel";
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

/** Two services, one trace: a checkout publishes an order, billing handles it and publishes an invoice. */
interface Order {
  readonly id: number;
}

const Orders = defineTopic<Order>("orders");
const Invoices = defineTopic<Order>("invoices");

// What a service sets up once, with an exporter of its own; the Node SDK of OpenTelemetry does all three.
const exporter = new InMemorySpanExporter();
const spanProcessors = [new SimpleSpanProcessor({ exporter })];
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

const broker = memoryBroker();
const shop = createEventBus({ transport: memory({ broker }), plugins: [otel()] });
const billing = createEventBus({
  group: "billing",
  transport: memory({ broker }),
  plugins: [otel(), dlq()],
});

const done = Promise.withResolvers<void>();
await billing.subscribe(Orders, async ({ value }) => {
  if (value.id < 0) throw new Poison("an order needs a positive number");
  await billing.publish(Invoices, value); // belongs to the trace of the order
});
billing.observe({ deadLettered: () => done.resolve() });
await Promise.all([shop.start(), billing.start()]);

await trace.getTracer("shop").startActiveSpan("checkout", async (checkout) => {
  await shop.publishMany(Orders, [{ id: 7 }]);
  await shop.publishMany(Orders, [{ id: -1 }]);
  checkout.end();
});
await done.promise;
await Promise.all([shop.close(), billing.close()]);

const spans = exporter.getFinishedSpans();
console.log(`${new Set(spans.map((span) => span.spanContext().traceId)).size} trace`);

function show(parentId: string | undefined, depth: number): void {
  for (const span of spans) {
    if (span.parentSpanContext?.spanId !== parentId) continue;
    const error = span.attributes["error.type"] === undefined ? "" : ", failed";
    console.log(`${"  ".repeat(depth)}${span.name}${error}`);
    show(span.spanContext().spanId, depth + 1);
  }
}
show(undefined, 0);
