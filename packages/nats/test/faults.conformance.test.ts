import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createLedger, until } from "@bus/testkit";
import { nats } from "../src/index.ts";
import type { NatsOptions } from "../src/index.ts";
import { closeBooks, publishAll, startLoad, startMember } from "../../kafka/test/ledger-load.ts";
import { NatsLab } from "./nats-lab.ts";

const FAST = {
  drainTimeoutMs: 1_500,
  reconnect: { waitMs: 50, maxWaitMs: 500 },
  leases: { renewMs: 500, expireMs: 3_000 },
} as const;

function figures(values: Readonly<Record<string, number>>): void {
  const text = Object.entries(values).map(([name, value]) => `${name} ${Math.round(value)}`);
  process.stdout.write(`  ${expect.getState().currentTestName}: ${text.join(", ")}\n`);
}

describe.each(["2.15.2", "2.9.10"] as const)("three servers of %s", (version) => {
  test.each([
    ["with partitions", { partitions: 8 }, "kept"],
    ["without partitions", {}, "free"],
  ] as const)(
    "the stream's leader is killed under load %s: nothing is lost",
    async (_name, own, order) => {
      await using lab = await NatsLab.start({ nodes: 3, version, processes: 0 });
      const options: NatsOptions = {
        ...FAST,
        ...own,
        ackWaitMs: 5_000,
        servers: lab.cluster.servers,
        stream: { ensure: "create", replicas: 3 },
      };
      const ledger = createLedger();
      const [topic, group] = ["killed", "killed-group"];
      const member = await startMember(nats(options), { topic, group, ledger });
      const load = await startLoad(nats(options), {
        topic,
        keys: 64,
        ledger,
        perCall: 50,
        pauseMs: 5,
      });
      await until(() => member.handled > 1_000, { timeoutMs: 30_000, what: "load" });
      const { cluster } = await lab.manager.streams.info("bus");
      const leader = Number(cluster?.leader?.replace("node-", ""));
      const killedMs = performance.now();
      await lab.cluster.kill(leader);
      const { acknowledged } = load;
      await until(() => load.acknowledged > acknowledged + 500, {
        timeoutMs: 60_000,
        what: "publishing to go on",
      });
      const handled = member.handled;
      await until(() => member.handled > handled + 500, {
        timeoutMs: 60_000,
        what: "consuming to go on",
      });
      const recoveredMs = performance.now() - killedMs;
      const published = await load.stop();
      await closeBooks(
        nats(options),
        { group, ledger, timeoutMs: 60_000 },
        { order, maxDuplicates: published },
      );
      figures({
        published,
        lost: ledger.outstanding,
        duplicates: ledger.duplicates,
        "publish gap ms": load.longestGapMs,
        "consume gap ms": member.longestGapMs,
        "recovered ms": recoveredMs,
      });
      await member.close();
    },
  );
});

test("50,000 messages arrive once, in the order of their keys", async () => {
  await using lab = await NatsLab.start({ processes: 3 });
  const ledger = createLedger();
  await publishAll(lab.process({ partitions: 8 }), {
    topic: "many",
    keys: 1_000,
    ledger,
    count: 50_000,
  });
  const startedMs = performance.now();
  const member = await startMember(lab.process({ partitions: 8 }), {
    topic: "many",
    group: "g",
    ledger,
  });
  await closeBooks(lab.process({ partitions: 8 }), { group: "g", ledger });
  figures({ "messages per second": 50_000 / ((performance.now() - startedMs) / 1_000) });
  await member.close();
});

test("a connection that is cut again and again under load loses nothing, repeats nothing and keeps the order", async () => {
  await using lab = await NatsLab.start({ processes: 3 });
  const ledger = createLedger();
  const consuming = lab.process({ partitions: 4 });
  const member = await startMember(consuming, { topic: "cut", group: "g", ledger, handlerMs: 1 });
  const load = await startLoad(lab.process({ partitions: 4 }), {
    topic: "cut",
    keys: 32,
    ledger,
    perCall: 20,
    pauseMs: 10,
  });
  for (let round = 0; round < 5; round += 1) {
    const { handled } = member;
    await until(() => member.handled > handled + 200, {
      timeoutMs: 20_000,
      what: "messages to be handled",
    });
    const restore = lab.sever(consuming);
    await sleep(200);
    restore();
  }
  await load.stop();
  // Shorter than the lease: nobody else can have had the partitions, so everything handled is known.
  await closeBooks(lab.process({ partitions: 4 }), { group: "g", ledger });
  await member.close();
});

test.each([
  ["with partitions", { partitions: 2 }],
  ["without partitions", {}],
] as const)("a handler that takes longer than the ack wait runs once %s", async (_name, own) => {
  await using lab = await NatsLab.start({ processes: 3 });
  const ledger = createLedger();
  const options = { ...own, ackWaitMs: 1_000 };
  await publishAll(lab.process(options), { topic: "slow", keys: 4, ledger, count: 4 });
  const member = await startMember(lab.process(options), {
    topic: "slow",
    group: "g",
    ledger,
    handlerMs: 3_500,
  });
  await closeBooks(
    lab.process(options),
    { group: "g", ledger, timeoutMs: 30_000 },
    { order: "free" },
  );
  expect([member.handled, ledger.duplicates]).toEqual([4, 0]);
  await member.close();
});

test.each([
  ["with partitions", { partitions: 2 }, "kept"],
  ["without partitions", {}, "free"],
] as const)(
  "consumers that somebody deletes under load are made again %s, and nothing is lost",
  async (...row) => {
    const [, own, order] = row;
    await using lab = await NatsLab.start({ processes: 3 });
    const ledger = createLedger();
    const where = { topic: "deleted", group: "g", ledger };
    const member = await startMember(lab.process(own), { ...where, handlerMs: 1 });
    const load = await startLoad(lab.process(own), { ...where, keys: 16, perCall: 20, pauseMs: 5 });
    for (let round = 0; round < 3; round += 1) {
      const { handled } = member;
      await until(() => member.handled > handled + 200, {
        timeoutMs: 20_000,
        what: "messages to be handled",
      });
      for await (const { name } of lab.manager.consumers.list("bus"))
        await lab.manager.consumers.delete("bus", name);
    }
    const published = await load.stop();
    await closeBooks(lab.process(own), { group: "g", ledger }, { order });
    figures({ published, duplicates: ledger.duplicates });
    await member.close();
  },
);
