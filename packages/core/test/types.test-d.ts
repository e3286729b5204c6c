import { createEventBus, createPluginRegistry, definePlugin, defineTopic } from "@bus/core";
import type { ConfiguredTransport, EventBus, Message } from "@bus/core";
import { memory } from "@bus/memory";
import { z } from "zod";

type Equal<TLeft, TRight> = [TLeft, TRight] extends [TRight, TLeft] ? true : false;

/** Fails to compile unless the value's type is the expected one. */
function expectType<TExpected>() {
  return <TActual>(
    _value: TActual,
    ..._equal: Equal<TActual, TExpected> extends true ? [] : ["types differ"]
  ): void => undefined;
}

declare const transport: ConfiguredTransport;

const greeter = definePlugin({
  name: "greeter",
  options: z.strictObject({ greeting: z.string().optional() }),
  create: () => ({ install: () => ({ api: { greet: (name: string) => name.length } }) }),
});
const counter = definePlugin({
  name: "counter",
  options: z.strictObject({ from: z.number() }),
  create: () => ({ install: () => ({ api: { count: 1 } }) }),
});

// The members of plugins are on the bus, and only theirs.
const plain = createEventBus({ transport });
expectType<EventBus>()(plain);
// @ts-expect-error no plugin adds greet
void plain.greet;
const extended = createEventBus({ transport, plugins: [greeter(), counter({ from: 1 })] });
expectType<number>()(extended.greet("a"));
expectType<number>()(extended.count);
// @ts-expect-error the option is required
counter();
// @ts-expect-error the option is unknown
greeter({ greting: "x" });

// A bus from configuration may or may not have a plugin's members.
const registry = createPluginRegistry([memory, greeter]);
expectType<((name: string) => number) | undefined>()(registry.createEventBus({}).greet);

// Values are typed by the topic on both ways; a schema's input is published, its output handled.
const Orders = defineTopic<{ id: string }>("orders", { key: (order) => order.id });
const Events = defineTopic("events", { schema: z.object({ at: z.coerce.date<string>() }) });
const Users = defineTopic<{ name: string }>("users", { tombstones: true });

void plain.subscribe(Orders, (message) => expectType<Message<{ id: string }>>()(message));
void plain.subscribe(Events, ({ value }) => expectType<{ at: Date }>()(value));
void plain.subscribe(Users, ({ value }) => expectType<{ name: string } | null>()(value));
void plain.subscribe("raw", ({ value }) => expectType<Uint8Array | null>()(value));
void plain.subscribeBatch(Orders, (messages) =>
  expectType<readonly Message<{ id: string }>[]>()(messages),
);
for await (const { message } of plain.stream(Orders)) expectType<{ id: string }>()(message.value);

void plain.publish(Orders, { id: "1" });
void plain.publish(Events, { at: "2001-01-01" });
void plain.publish("raw", new Uint8Array());
void plain.publishMany(Orders, [{ id: "1" }], { headers: { a: "b" } });
// @ts-expect-error not a value of the topic
void plain.publish(Orders, { id: 1 });
// @ts-expect-error bytes or null by name
void plain.publish("raw", "text");
// @ts-expect-error unknown option
void plain.publish(Orders, { id: "1" }, { kee: "x" });
// @ts-expect-error unknown ordering
void plain.subscribe(Orders, () => undefined, { ordering: "lanes" });
