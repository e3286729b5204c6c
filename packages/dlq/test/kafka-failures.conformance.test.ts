import kafkajs from "kafkajs";
import { afterAll, describe, expect, test } from "vitest";
import type { HeaderList, SettledOutcome } from "@bus/core";
import { testHost, until } from "@bus/testkit";
import { DlqLab } from "./support/dlq-lab.ts";
import { FAST, bytes, failingBus, text } from "./support/failing-bus.ts";
import { KAFKA_DRIVERS } from "./support/kafka-drivers.ts";
import { readAll } from "./support/read-all.ts";

const lab = await DlqLab.start();
afterAll(() => lab[Symbol.asyncDispose]());

const OUTAGE_MS = 60_000;
const poison = (): never => {
  throw new SyntaxError("poison");
};
let topics = 0;
const newTopic = (driver: string): string => `${driver}-orders-${(topics += 1)}`;

describe.each(Object.keys(KAFKA_DRIVERS))("over Kafka with %s", (driver) => {
  test("a failure that passes after three times leaves no dead letter and keeps the order", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic);
    const handled: string[] = [];
    await using bus = await failingBus({
      transport: lab.transport(driver),
      topic,
      dlq: { retry: { ...FAST, attempts: 4 } },
      handler: ({ value }, { attempt }) => {
        const one = text(value);
        if (one.endsWith("5") && attempt <= 3)
          throw Object.assign(new Error("down"), { code: "ECONNREFUSED" });
        handled.push(one);
      },
    });
    for (let n = 0; n < 40; n += 1)
      await bus.publish(topic, bytes(`${n % 4}:${Math.floor(n / 4)}`), { key: `key-${n % 4}` });
    await until(() => handled.length === 40, {
      timeoutMs: 30_000,
      what: "40 handled",
      state: () => handled.length,
    });
    for (const key of ["0", "1", "2", "3"])
      expect(handled.filter((one) => one.startsWith(`${key}:`))).toEqual(
        Array.from({ length: 10 }, (_, n) => `${key}:${n}`),
      );
    expect(await lab.stored(`${topic}.dlq`)).toBe(0);
    expect((await lab.topics.describe([`${topic}.dlq`]))[0]?.partitions).toBe(4);
  });

  test("a dead letter is its message byte for byte, in the partition of the same number", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 8);
    await using bus = await failingBus({
      transport: lab.transport(driver),
      topic,
      handler: poison,
    });
    expect(bus.status).toBe("running");
    const publisher = lab.transport(driver).create(testHost());
    await publisher.connect();
    const headers: HeaderList = [
      ["twice", bytes("1")],
      ["Ünï", Uint8Array.of(0, 255)],
      ["twice", bytes("2")],
      ["empty", new Uint8Array()],
    ];
    const sent = [
      { key: Uint8Array.of(0xff, 0x00, 0xfe), value: Uint8Array.of(1, 0, 0xff), headers },
      { key: new Uint8Array(), value: new Uint8Array(), headers: [] },
      { key: bytes("tombstone"), value: null, headers },
      { key: null, value: bytes("no key"), headers: [] },
    ];
    const receipts = await publisher.publish(sent.map((message) => ({ topic, ...message })));
    await lab.untilStored(`${topic}.dlq`, 4);
    const letters = await readAll(lab.transport(driver), `${topic}.dlq`);
    for (const [index, { key, value, headers: own }] of sent.entries()) {
      const { partition, offset } = receipts[index] ?? { partition: -1, offset: 0n };
      const header = (name: string, of: HeaderList): string | undefined =>
        of.filter(([one]) => one === name).map(([, one]) => text(one))[0];
      const letter = letters.find(
        (one) =>
          one.partition === partition &&
          header("x-dlq-original-offset", one.headers) === String(offset),
      );
      expect({
        key: letter?.key && [...letter.key],
        value: letter?.value && [...letter.value],
      }).toEqual({ key: key && [...key], value: value && [...value] });
      const kept = letter?.headers
        .filter(([name]) => !name.startsWith("x-dlq-"))
        .map(([name, one]) => [name, [...one]]);
      expect(kept).toEqual(own.map(([name, one]) => [name, [...one]]));
    }
    await publisher.close({ drainTimeoutMs: 1_000 });
  });

  test("a destination that is missing, then too small: nothing is lost or passed over, alarms are raised, it goes on by itself", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 1);
    const alarms: unknown[] = [];
    const handled: string[] = [];
    await using bus = await failingBus({
      transport: lab.transport(driver),
      topic,
      handler: ({ value }) => (value.length > 10 ? poison() : void handled.push(text(value))),
      dlq: {
        createTopics: "never",
        onDeadLetterFailure: (_failure, error) => void alarms.push(error),
      },
    });
    await bus.publish(topic, new Uint8Array(60_000), { key: "k" });
    await bus.publish(topic, bytes("after"), { key: "k" });
    await until(() => alarms.length > 0, {
      timeoutMs: 40_000,
      what: "an alarm for the missing topic",
    });
    expect(alarms[0]).toMatchObject({ code: "BUS_TOPIC_MISSING" });
    expect((await bus.health()).components["handlers"]).toMatchObject({ status: "degraded" });
    const before = alarms.length;
    await lab.createTopic(`${topic}.dlq`, 1, { "max.message.bytes": "20000" });
    await until(
      () =>
        alarms
          .slice(before)
          .some((error) => (error as { code?: string }).code === "BUS_MESSAGE_TOO_LARGE"),
      {
        timeoutMs: 60_000,
        what: "an alarm for the size",
        state: () => alarms.slice(before),
      },
    );
    expect(handled).toEqual([]);
    expect(await lab.lagOf("billing", topic)).toBe(2);
    await allowLarge(`${topic}.dlq`);
    await lab.untilStored(`${topic}.dlq`, 1);
    await until(() => handled.length === 1, { timeoutMs: 30_000, what: "the message behind" });
  });

  test("shutting down while messages fail stores no dead letter, counts no attempt and acknowledges nothing", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 1);
    const attempts: number[] = [];
    const outcomes: SettledOutcome[] = [];
    const start = (): ReturnType<typeof failingBus> =>
      failingBus({
        transport: lab.transport(driver),
        topic,
        dlq: { retry: { attempts: 2, baseMs: 120_000 } },
        handler: (_message, { attempt }) => {
          attempts.push(attempt);
          throw new Error("down");
        },
      });
    const bus = await start();
    bus.observe({ settled: (_delivery, _subscription, outcome) => void outcomes.push(outcome) });
    await bus.publish(topic, bytes("v"), { key: "k" });
    await until(() => attempts.length === 1, { timeoutMs: 30_000, what: "the first failure" });
    await bus.close();
    expect(outcomes).toEqual(["aborted"]);
    await using next = await start();
    expect(next.status).toBe("running");
    await until(() => attempts.length === 2, {
      timeoutMs: 60_000,
      what: "the failure of the next owner",
    });
    expect(attempts).toEqual([1, 1]);
    expect(await lab.stored(`${topic}.dlq`)).toBe(0);
  });

  test("the broker is away for 60 s while dead letters wait: each is stored, each message behind is handled", async () => {
    const topic = newTopic(driver);
    await lab.createTopic(topic, 4);
    const handled = new Set<string>();
    let isDown = false;
    let alarms = 0;
    let received = 0;
    await using bus = await failingBus({
      transport: lab.transport(driver, { producer: { timeoutMs: 10_000 } }),
      topic,
      dlq: { onDeadLetterFailure: () => void (alarms += 1) },
      handler: async ({ value }) => {
        await until(() => isDown, { timeoutMs: 60_000, what: "the outage" });
        if (text(value).startsWith("p")) poison();
        handled.add(text(value));
      },
    });
    bus.observe({ received: () => void (received += 1) });
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        bus.publish(topic, bytes(`${n % 4 === 0 ? "p" : "m"}${n}`), { key: `key-${n % 8}` }),
      ),
    );
    await until(() => received >= 40, { timeoutMs: 30_000, what: "all to be received" });
    await lab.cluster.pause(1);
    isDown = true;
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    const alarmsDuringOutage = alarms;
    await lab.cluster.resume(1);
    await until(() => handled.size === 30, {
      timeoutMs: 90_000,
      what: "all good ones",
      state: () => handled.size,
    });
    await lab.untilStored(`${topic}.dlq`, 10, 90_000);
    await until(async () => (await lab.lagOf("billing", topic)) === 0, {
      timeoutMs: 90_000,
      what: "everything to be acknowledged",
    });
    const letters = await readAll(lab.transport(driver), `${topic}.dlq`);
    const values = new Set(letters.map(({ value }) => text(value)));
    expect(values.size).toBe(10);
    expect(alarmsDuringOutage).toBeGreaterThan(0);
    process.stdout.write(
      `${driver}: outage of ${OUTAGE_MS / 1000} s, ${alarms} alarms, ${letters.length - 10} dead letters stored twice\n`,
    );
  }, 300_000);
});

/** What an operator does about a topic that is too small. */
async function allowLarge(topic: string): Promise<void> {
  const admin = new kafkajs.Kafka({
    brokers: lab.cluster.brokers,
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  await admin.connect();
  const configEntries = [{ name: "max.message.bytes", value: "1000000" }];
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  });
  await admin.disconnect();
}
