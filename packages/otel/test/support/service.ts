import { createEventBus, defineTopic } from "@bus/core";
import type { BusWith, HeaderList, Plugin, Topic } from "@bus/core";
import { memory, memoryBroker } from "@bus/memory";
import type { MemoryBroker } from "@bus/memory";
import { until } from "@bus/testkit";
import { otel } from "@bus/otel";
import type { OtelOptions } from "@bus/otel";

/** What the tests publish. */
export const Orders: Topic<number> = defineTopic<number>("orders", { key: String });

/** How a test's bus differs. */
export interface ServiceSetup {
  readonly otel?: OtelOptions;
  readonly broker?: MemoryBroker;
  readonly plugins?: readonly Plugin<object>[];
}

/** A bus over memory with the plugin. */
export function service({ broker, plugins = [], ...setup }: ServiceSetup = {}): BusWith<
  readonly Plugin<object>[]
> {
  return createEventBus({
    group: "billing",
    transport: memory({ broker: broker ?? memoryBroker({ partitions: 1 }) }),
    plugins: [otel(setup.otel), ...plugins],
  });
}

/** Headers as text, in order. */
export function textOf(headers: HeaderList): readonly (readonly [string, string])[] {
  return headers.map(([name, value]) => [name, new TextDecoder().decode(value)] as const);
}

/** Wait for something that a handler does. */
export function soon(condition: () => boolean, what: string): Promise<void> {
  return until(condition, { timeoutMs: 5_000, what });
}
