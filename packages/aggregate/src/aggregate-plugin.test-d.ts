import { createEventBus } from "@bus/core";
import { memory } from "@bus/memory";
import { aggregate } from "./aggregate-plugin.ts";

const bus = createEventBus({
  group: "g",
  transport: memory(),
  plugins: [aggregate({ concurrency: 8 })],
});
bus.setRecoveryMode("auto");
void bus.subscribeWithAggregateId("orders", ({ value }) => void value?.byteLength, {
  aggregateIdExtractor: ({ key }) => String(key),
});

// @ts-expect-error -- a mode is true, false or "auto"
bus.setRecoveryMode("on");
const asynchronous = async (): Promise<string> => "id";
const handler = (): void => undefined;
// @ts-expect-error -- an extractor is synchronous
void bus.subscribeWithAggregateId("orders", handler, { aggregateIdExtractor: asynchronous });
// @ts-expect-error -- no such option
aggregate({ concurency: 8 });

const plain = createEventBus({ group: "g", transport: memory() });
// @ts-expect-error -- the plugin is not installed
void plain.subscribeWithAggregateId;
