import { createEventBus, defineTopic } from "@bus/core";
import { kafka } from "@bus/kafka";
import type { KafkaOptions } from "@bus/kafka";
import { confluentDriver } from "@bus/kafka/confluent";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { startKafka } from "@bus/tools-brokers";
import { until } from "@bus/testkit";
import { otel } from "@bus/otel";
import { trace } from "@opentelemetry/api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { registerSdk, unregisterSdk } from "./support/sdk.ts";
import type { Sdk } from "./support/sdk.ts";

const DRIVERS = { kafkajs: kafkajsDriver, confluent: confluentDriver };
const soon = { timeoutMs: 60_000, intervalMs: 50 };
let cluster: Awaited<ReturnType<typeof startKafka>>;
let sdk: Sdk;

beforeAll(async () => {
  cluster = await startKafka();
});
afterAll(() => cluster.close());
beforeEach(() => {
  sdk = registerSdk();
});
afterEach(unregisterSdk);

function process(group: string, driver: KafkaOptions["driver"]) {
  const topics = { ensure: "create", partitions: 2 } as const;
  const transport = kafka({ brokers: cluster.brokers, driver, topics });
  return createEventBus({ group, transport, plugins: [otel()] });
}

it.each(["kafkajs", "confluent"] as const)(
  "over %s a trace goes on from the publisher across the broker into the handler, and on from there",
  async (name) => {
    const orders = defineTopic<number>(`orders-${name}`, { key: String });
    const invoices = defineTopic<number>(`invoices-${name}`, { key: String });
    const publisher = process(`shop-${name}`, DRIVERS[name]());
    const consumer = process(`billing-${name}`, DRIVERS[name]());
    const seen: (string | undefined)[] = [];
    await consumer.subscribe(orders, async ({ value }) => {
      seen.push(trace.getActiveSpan()?.spanContext().spanId);
      await consumer.publish(invoices, value);
    });
    await Promise.all([publisher.start(), consumer.start()]);
    const receipt = await sdk.provider
      .getTracer("shop")
      .startActiveSpan("checkout", async (checkout) => {
        const stored = await publisher.publish(orders, 7, { headers: { type: "order" } });
        checkout.end();
        return stored;
      });
    const isDone = () => sdk.names.includes(`send invoices-${name}`);
    await until(isDone, { ...soon, what: "the invoice", state: () => sdk.names });
    await Promise.all([publisher.close(), consumer.close()]);

    const checkout = sdk.span("checkout");
    const send = sdk.span(`send orders-${name}`);
    const handle = sdk.span(`process orders-${name}`);
    const invoice = sdk.span(`send invoices-${name}`);
    expect(send.parentSpanContext?.spanId).toBe(checkout.spanContext().spanId);
    expect(handle.parentSpanContext).toMatchObject({
      spanId: send.spanContext().spanId,
      traceId: checkout.spanContext().traceId,
      isRemote: true,
    });
    expect(invoice.parentSpanContext?.spanId).toBe(handle.spanContext().spanId);
    expect(seen).toEqual([handle.spanContext().spanId]);
    for (const { attributes } of [send, handle])
      expect(attributes).toMatchObject({
        "messaging.system": "kafka",
        "messaging.destination.partition.id": String(receipt.partition),
        "messaging.kafka.offset": Number(receipt.offset),
      });
  },
);
