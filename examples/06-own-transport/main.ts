import { createEventBus } from "@bus/core";
import { loopback } from "./loopback.ts";

/** A bus over a transport of one's own. */
await using bus = createEventBus({ group: "greeters", transport: loopback() });
const { promise: greeted, resolve } = Promise.withResolvers<string>();
await bus.subscribe("greetings", ({ value }) =>
  resolve(new TextDecoder().decode(value ?? undefined)),
);
await bus.start();
await bus.publish("greetings", new TextEncoder().encode("hello over my own transport"));
console.log(await greeted);
