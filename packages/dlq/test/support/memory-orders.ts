import type { Handler, IncomingMessage } from "@bus/core";
import type { DlqOptions } from "@bus/dlq";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker, MemoryOptions } from "@bus/memory";
import { until } from "@bus/testkit";
import { failingBus, text } from "./failing-bus.ts";

export const stored = (broker: MemoryBroker, topic: string): number =>
  broker
    .describe()
    .partitions.filter((one) => one.topic === topic)
    .reduce((sum, { messages }) => sum + messages, 0);

export const untilStored = (broker: MemoryBroker, topic: string, count: number): Promise<void> =>
  until(() => stored(broker, topic) >= count, {
    timeoutMs: 50_000,
    what: `${count} messages in ${topic}`,
    state: () => stored(broker, topic),
  });

export const headersOf = (message: IncomingMessage | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries((message?.headers ?? []).map(([name, value]) => [name, text(value)]));

export interface Setup {
  readonly broker: MemoryBroker;
  readonly bus: Awaited<ReturnType<typeof failingBus>>;
}

export async function setUp(
  handler: Handler<Uint8Array>,
  options: MemoryOptions & { readonly dlq?: DlqOptions } = {},
): Promise<Setup & AsyncDisposable> {
  const { dlq: dlqOptions, ...transport } = options;
  const broker = memoryBroker({ partitions: 1 });
  const parts = {
    topic: "orders",
    handler,
    ...(dlqOptions === undefined ? {} : { dlq: dlqOptions }),
  };
  const bus = await failingBus({ transport: memory({ broker, ...transport }), ...parts });
  return { broker, bus, [Symbol.asyncDispose]: async () => void (await bus.close()) };
}
