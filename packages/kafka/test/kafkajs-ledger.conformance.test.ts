import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLedger, until } from "@bus/testkit";
import { KafkaLab } from "./kafka-lab.ts";
import { closeBooks, publishAll, startLoad, startMember } from "./ledger-load.ts";

let lab: KafkaLab;
let names = 0;

beforeAll(async () => {
  lab = await KafkaLab.start();
});

afterAll(() => lab[Symbol.asyncDispose]());

async function place(
  partitions: number,
): Promise<{ readonly topic: string; readonly group: string }> {
  names += 1;
  const topic = `ledger-${Date.now()}-${names}`;
  await lab.createTopic(topic, partitions);
  return { topic, group: `${topic}-group` };
}

function figures(values: Readonly<Record<string, number>>): void {
  const text = Object.entries(values).map(([name, value]) => `${name} ${Math.round(value)}`);
  process.stdout.write(`  ${expect.getState().currentTestName}: ${text.join(", ")}\n`);
}

test("100,000 messages arrive once, in the order of their keys, and are committed", async () => {
  const { topic, group } = await place(8);
  const ledger = createLedger();
  await publishAll(lab.process(), { topic, keys: 1_000, ledger, count: 100_000 });
  const startedMs = performance.now();
  const member = await startMember(lab.process(), { topic, group, ledger });
  await closeBooks(lab.process(), { group, ledger });
  figures({ "messages per second": 100_000 / ((performance.now() - startedMs) / 1_000) });
  await member.close();
});

test("a second member that joins and leaves under load repeats nothing and breaks no order", async () => {
  const { topic, group } = await place(8);
  const ledger = createLedger();
  const load = await startLoad(lab.process(), { topic, keys: 64, ledger });
  const first = await startMember(lab.process(), { topic, group, ledger, handlerMs: 1 });
  await until(() => first.handled > 500, { timeoutMs: 20_000, what: "the first member to work" });
  for (let round = 0; round < 3; round += 1) {
    const second = await startMember(lab.process(), { topic, group, ledger, handlerMs: 1 });
    await until(() => second.handled > 200, {
      timeoutMs: 20_000,
      what: "the second member to work",
    });
    await second.close();
    const { handled } = first;
    await until(() => first.handled > handled + 200, {
      timeoutMs: 20_000,
      what: "the first member to go on",
    });
  }
  const published = await load.stop();
  await closeBooks(lab.process(), { group, ledger, timeoutMs: 60_000 }, { maxDuplicates: 0 });
  figures({ published, duplicates: ledger.duplicates, "longest gap ms": first.longestGapMs });
  await first.close();
});

test("a member that is killed under load loses nothing and repeats at most what it had not committed", async () => {
  const { topic, group } = await place(8);
  const ledger = createLedger();
  const load = await startLoad(lab.process(), { topic, keys: 64, ledger, pauseMs: 5 });
  const survivor = await startMember(lab.process(), { topic, group, ledger, handlerMs: 1 });
  const doomed = lab.process();
  const dying = await startMember(doomed, { topic, group, ledger, handlerMs: 1 });
  await until(() => dying.handled > 500 && survivor.handled > 500, {
    timeoutMs: 20_000,
    what: "both to work",
  });
  lab.sever(doomed);
  // A killed process handles nothing more; what runs here after the cut would be counted against the survivor.
  await dying.close(0).catch(() => undefined);
  const { handled } = survivor;
  await until(() => survivor.handled > handled + 1_000, {
    timeoutMs: 30_000,
    what: "the survivor to go on",
  });
  const published = await load.stop();
  await closeBooks(
    lab.process(),
    { group, ledger, timeoutMs: 60_000 },
    { maxDuplicates: dying.handled },
  );
  figures({ published, duplicates: ledger.duplicates, "longest gap ms": survivor.longestGapMs });
  await survivor.close();
});

test("a broker that restarts under load loses and reorders nothing, and is come back to", async () => {
  const { topic, group } = await place(4);
  const ledger = createLedger();
  const load = await startLoad(lab.process(), { topic, keys: 64, ledger, pauseMs: 2 });
  const member = await startMember(lab.process(), { topic, group, ledger });
  await until(() => member.handled > 2_000, { timeoutMs: 20_000, what: "the member to work" });
  await lab.cluster.restart(1);
  const { handled } = member;
  await until(() => member.handled > handled + 2_000, {
    timeoutMs: 60_000,
    what: "the member to go on",
  });
  await sleep(500);
  const published = await load.stop();
  await closeBooks(
    lab.process(),
    { group, ledger, timeoutMs: 60_000 },
    { maxDuplicates: published },
  );
  figures({
    published,
    duplicates: ledger.duplicates,
    "longest publish gap ms": load.longestGapMs,
    "longest consume gap ms": member.longestGapMs,
  });
  await member.close();
});
