import { afterAll, describe, expect, test } from "vitest";
import { createEventBus } from "@bus/core";
import { dlq } from "@bus/dlq";
import { metrics } from "@bus/metrics";
import { until } from "@bus/testkit";
import { NatsLab } from "./nats-lab.ts";

const lab = await NatsLab.start({ processes: 12 });
afterAll(() => lab[Symbol.asyncDispose]());

const bytes = (value: string): Uint8Array => Buffer.from(value);
const text = (value: Uint8Array | null): string => Buffer.from(value ?? []).toString();
async function consumers(): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of lab.manager.consumers.list("bus")) names.push(name);
  return names;
}

const soon = { timeoutMs: 20_000 };

describe.each([
  ["with partitions", { partitions: 4 }],
  ["without partitions", {}],
] as const)("%s", (name, options) => {
  const topic = `orders-${name.split(" ")[0]}`;

  test("poison becomes a dead letter byte for byte, in its partition, and comes back when it is replayed", async () => {
    const handled: string[] = [];
    let isMended = false;
    await using bus = createEventBus({
      group: topic,
      transport: lab.process(options),
      plugins: [dlq({ retry: { baseMs: 10, maxMs: 50 } })],
    });
    await bus.subscribe(topic, ({ value }) => {
      if (text(value) === "bad" && !isMended) throw new SyntaxError("poison");
      handled.push(text(value));
    });
    await bus.start();
    await bus.publish(topic, bytes("bad"), { key: "k", headers: { trace: "1" } });
    await bus.publish(topic, bytes("good"), { key: "k" });
    await until(async () => (await bus.deadLetters.list({ topic })).length === 1, {
      ...soon,
      what: "the dead letter",
    });
    await until(() => handled.includes("good"), { ...soon, what: "the next message" });
    isMended = true;
    await bus.deadLetters.replay({ topic });
    await until(() => handled.includes("bad"), {
      ...soon,
      what: "the replay",
      state: () => handled,
    });
    expect(handled).toEqual(["good", "bad"]);
    await until(async () => !(await consumers()).some((one) => one.includes("reader")), {
      ...soon,
      what: "what readers of dead letters had on the server to be gone",
    });
  });

  test("a failure that passes is tried again and leaves no dead letter", async () => {
    const attempts: number[] = [];
    await using bus = createEventBus({
      group: `${topic}-retry`,
      transport: lab.process(options),
      plugins: [dlq({ retry: { baseMs: 10, maxMs: 50 } })],
    });
    await bus.subscribe(
      `${topic}-retry`,
      (_message, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 4) throw Object.assign(new Error("down"), { code: "ECONNREFUSED" });
      },
      { ordering: "partitions" in options ? "partition" : "none" },
    );
    await bus.start();
    await bus.publish(`${topic}-retry`, bytes("v"), { key: "k" });
    await until(() => attempts.length === 4, {
      ...soon,
      what: "four attempts",
      state: () => attempts,
    });
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(await bus.deadLetters.list({ topic: `${topic}-retry` })).toEqual([]);
  });

  test("what is published, handled and acknowledged is counted, and idle is healthy", async () => {
    const counted = `${topic}-counted`;
    await using bus = createEventBus({
      group: counted,
      transport: lab.process(options),
      plugins: [metrics({ server: { port: 0 } })],
    });
    await bus.subscribe(counted, () => undefined);
    await bus.start();
    for (const value of ["1", "2", "3"]) await bus.publish(counted, bytes(value));
    const scrape = async (): Promise<string> =>
      await (await fetch(`${bus.metrics.url}/metrics`)).text();
    await until(
      async () =>
        new RegExp(
          `bus_messages_consumed_total\\{[^}]*topic="${counted}"[^}]*outcome="ack"[^}]*\\} 3`,
          "u",
        ).test(await scrape()),
      {
        ...soon,
        what: "three messages to be counted",
      },
    );
    await until(
      async () => (await bus.lag()).partitions.every(({ lagMessages }) => lagMessages === 0n),
      { ...soon, what: "their acknowledgement" },
    );
    expect(await scrape()).toMatch(/bus_connected\{[^}]*\} 1|bus_connected 1/u);
    const { overall, components } = await bus.health();
    expect([overall, Object.keys(components)]).toEqual([
      "healthy",
      expect.arrayContaining(["nats.connection", `nats.group.${counted}`]),
    ]);
  });
});
