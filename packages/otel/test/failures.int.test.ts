import { afterEach, beforeEach, expect, it } from "vitest";
import { Skip } from "@bus/core";
import type { HeaderList } from "@bus/core";
import { dlq } from "@bus/dlq";
import { memoryBroker } from "@bus/memory";
import { hrTimeToMilliseconds } from "@opentelemetry/core";
import { SpanStatusCode } from "@opentelemetry/api";
import { registerSdk, unregisterSdk } from "./support/sdk.ts";
import type { Sdk } from "./support/sdk.ts";
import { Orders, service, soon, textOf } from "./support/service.ts";

let sdk: Sdk;
beforeEach(() => {
  sdk = registerSdk();
});
afterEach(unregisterSdk);

const retry = { attempts: 2, baseMs: 5, maxMs: 5, jitter: 0 };

it("a retry is a second span, linked to the first and with what was decided", async () => {
  const bus = service();
  let runs = 0;
  await bus.subscribe(Orders, async () => {
    if (++runs === 1) throw new Error("not yet");
  });
  await bus.start();
  await bus.publish(Orders, 1);
  await soon(() => sdk.spans("process orders").length === 2, "both attempts");
  await bus.close();
  const [first, second] = sdk.spans("process orders");
  expect(first).toMatchObject({
    attributes: { "bus.delivery.attempt": 1, "error.type": "Error" },
    status: { code: SpanStatusCode.ERROR, message: "not yet" },
    events: [{ name: "exception" }],
  });
  expect(second).toMatchObject({
    attributes: { "bus.delivery.attempt": 2 },
    status: { code: SpanStatusCode.UNSET },
    links: [
      {
        context: { spanId: first?.spanContext().spanId },
        attributes: { "bus.link": "previous_attempt" },
      },
    ],
    events: [{ name: "retry", attributes: { "bus.error.class": "RETRYABLE" } }],
  });
  expect(second?.parentSpanContext?.spanId).toBe(sdk.span("send orders").spanContext().spanId);
});

it("a dead letter has a span under the attempt that failed last, and keeps the trace of its message", async () => {
  const broker = memoryBroker({ partitions: 1 });
  const bus = service({ broker, plugins: [dlq({ retry })] });
  const letters: HeaderList[] = [];
  await bus.subscribe(Orders, () => {
    throw new SyntaxError("broken");
  });
  await bus.subscribe("orders.dlq", (message) => void letters.push(message.headers), {
    group: "audit",
  });
  await bus.start();
  await bus.publish(Orders, 1);
  await soon(() => letters.length === 1, "the dead letter");
  await bus.close();
  const attempt = sdk.span("process orders");
  const deadLetter = sdk.span("dead_letter orders");
  expect(deadLetter.parentSpanContext?.spanId).toBe(attempt.spanContext().spanId);
  expect(deadLetter.attributes).toMatchObject({
    "messaging.operation.type": "settle",
    "messaging.consumer.group.name": "billing",
    "messaging.message.id": "orders/0@0",
    "bus.error.class": "POISON",
  });
  expect(hrTimeToMilliseconds(deadLetter.duration)).toBeGreaterThanOrEqual(0);
  const sent = sdk.span("send orders").spanContext();
  expect(textOf(letters[0] ?? []).filter(([name]) => name === "traceparent")).toEqual([
    ["traceparent", `00-${sent.traceId}-${sent.spanId}-01`],
  ]);
  expect(sdk.span("send orders.dlq").parentSpanContext?.spanId).toBe(sent.spanId);
});

it("a dead letter that cannot be stored has a failed span", async () => {
  const broker = memoryBroker({ partitions: 1 });
  const bus = service({ broker, plugins: [dlq({ retry })] });
  await bus.subscribe(Orders, () => {
    throw new SyntaxError("broken");
  });
  await bus.start();
  broker.faults.failPublish({ times: 1, predicate: ({ topic }) => topic === "orders.dlq" });
  await bus.publish(Orders, 1);
  await soon(() => sdk.spans("dead_letter orders").length === 2, "the second try");
  await bus.close();
  expect(sdk.spans("dead_letter orders").map(({ status }) => status.code)).toEqual([
    SpanStatusCode.ERROR,
    SpanStatusCode.UNSET,
  ]);
});

it("a message that is skipped has not failed", async () => {
  const bus = service({ plugins: [dlq()] });
  await bus.subscribe(Orders, () => {
    throw new Skip("not for us");
  });
  await bus.start();
  await bus.publish(Orders, 1);
  await soon(() => sdk.spans("process orders").length === 1, "the handler");
  await bus.close();
  expect(sdk.span("process orders")).toMatchObject({
    status: { code: SpanStatusCode.UNSET },
    events: [{ name: "skip", attributes: { "bus.skip.reason": "not for us" } }],
  });
});
