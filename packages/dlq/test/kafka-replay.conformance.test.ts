import { afterAll, describe, expect, test } from "vitest";
import { until } from "@bus/testkit";
import { DlqLab } from "./support/dlq-lab.ts";
import { bytes, failingBus, text } from "./support/failing-bus.ts";
import { KAFKA_DRIVERS } from "./support/kafka-drivers.ts";
import { readAll } from "./support/read-all.ts";

const lab = await DlqLab.start();
afterAll(() => lab[Symbol.asyncDispose]());

const poison = (): never => {
  throw new SyntaxError("poison");
};
let topics = 0;
const newTopic = (driver: string): string => `${driver}-orders-${(topics += 1)}`;

describe.each(Object.keys(KAFKA_DRIVERS))("over Kafka with %s", (driver) => {
  test("10,000 dead letters are replayed while live messages of the same keys go on; a second replay moves nothing", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 16);
    const seen: { readonly [way: string]: Map<string, number[]> } = {
      live: new Map(),
      replayed: new Map(),
    };
    let isRepaired = false;
    await using bus = await failingBus({
      transport: lab.transport(driver),
      topic,
      handler: ({ value, headers }) => {
        if (!isRepaired) return poison();
        const [key = "", sequence] = text(value).split(":");
        const way = headers.some(([name]) => name === "x-dlq-replay-of") ? "replayed" : "live";
        const order = seen[way]?.get(key) ?? [];
        seen[way]?.set(key, [...order, Number(sequence)]);
      },
    });
    const count = (way: string): number =>
      [...(seen[way]?.values() ?? [])].reduce((sum, one) => sum + one.length, 0);
    const publish = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1)
        await Promise.all(
          Array.from({ length: 200 }, (_, key) =>
            bus.publish(topic, bytes(`${key}:${n}`), { key: `key-${key}` }),
          ),
        );
    };
    await publish(0, 50);
    await lab.untilStored(`${topic}.dlq`, 10_000, 120_000);
    isRepaired = true;
    const started = performance.now();
    const [report] = await Promise.all([bus.deadLetters.replay({ topic }), publish(50, 70)]);
    const elapsedMs = performance.now() - started;
    expect(report).toMatchObject({ matched: 10_000, done: 10_000, repeated: 0, failed: 0 });
    await until(() => count("replayed") >= 10_000 && count("live") >= 4_000, {
      timeoutMs: 60_000,
      what: "everything handled",
      state: () => [count("replayed"), count("live")],
    });
    for (const order of seen["replayed"]?.values() ?? [])
      expect(order).toEqual(Array.from({ length: 50 }, (_, n) => n));
    for (const order of seen["live"]?.values() ?? [])
      expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n + 50));
    expect(await bus.deadLetters.replay({ topic })).toMatchObject({ done: 0, doneBefore: 10_000 });
    expect(await lab.stored(topic)).toBe(24_000);
    process.stdout.write(
      `${driver}: 10,000 dead letters replayed in ${Math.round(elapsedMs)} ms beside 4,000 live messages\n`,
    );
  }, 300_000);

  test("kill -9 in the middle of a replay: nothing is lost, what is repeated is counted", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 4);
    const handled: string[] = [];
    let isRepaired = false;
    await using bus = await failingBus({
      transport: lab.transport(driver),
      topic,
      handler: ({ value }) => (isRepaired ? void handled.push(text(value)) : poison()),
    });
    await Promise.all(
      Array.from({ length: 1_500 }, (_, n) =>
        bus.publish(topic, bytes(String(n)), { key: `key-${n % 50}` }),
      ),
    );
    await lab.untilStored(`${topic}.dlq`, 1_500, 90_000);
    isRepaired = true;
    const child = lab.spawn("replay", driver, topic);
    await lab.untilStored(topic, 1_900);
    await lab.kill(child);
    const byTheDead = (await lab.stored(topic)) - 1_500;
    expect(byTheDead).toBeLessThan(1_500);
    const report = await bus.deadLetters.replay({ topic });
    expect(report.done + report.doneBefore).toBe(1_500);
    const total = byTheDead + report.done;
    await until(() => handled.length >= total, {
      timeoutMs: 60_000,
      what: `${total} handled`,
      state: () => handled.length,
    });
    expect(new Set(handled).size).toBe(1_500);
    expect(total - 1_500).toBeLessThanOrEqual(report.repeated);
    process.stdout.write(
      `${driver}: killed after ${byTheDead} of 1,500, ${total - 1_500} replayed twice, ${report.repeated} counted as possible\n`,
    );
  }, 240_000);

  test("kill -9 in the middle of dead-lettering: nothing is lost, a dead letter that is stored twice has one id", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 4);
    await using desk = await failingBus({ transport: lab.transport(driver), topic });
    await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        desk.publish(topic, bytes(String(n)), { key: `key-${n % 50}` }),
      ),
    );
    const child = lab.spawn("consume", driver, topic);
    await lab.untilStored(`${topic}.dlq`, 200);
    await lab.kill(child);
    const byTheDead = await lab.stored(`${topic}.dlq`);
    expect(byTheDead).toBeLessThan(1_000);
    await using next = await failingBus({
      transport: lab.transport(driver),
      topic,
      handler: poison,
    });
    expect(next.status).toBe("running");
    await until(async () => (await lab.lagOf("billing", topic)) === 0, {
      timeoutMs: 90_000,
      intervalMs: 100,
      what: "everything to be acknowledged",
    });
    const letters = await readAll(lab.transport(driver), `${topic}.dlq`);
    expect(new Set(letters.map(({ value }) => text(value))).size).toBe(1_000);
    const dry = await desk.deadLetters.replay({ topic, dryRun: true });
    expect(dry).toMatchObject({ scanned: letters.length, matched: 1_000 });
    process.stdout.write(
      `${driver}: killed after ${byTheDead} of 1,000, ${letters.length - 1_000} dead letters stored twice\n`,
    );
  }, 240_000);
});
