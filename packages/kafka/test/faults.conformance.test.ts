import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createLedger, testHost, until } from "@bus/testkit";
import { FAST_FAILOVER } from "@bus/tools-brokers";
import { KafkaLab } from "./kafka-lab.ts";
import { closeBooks, startLoad, startMember } from "./ledger-load.ts";

function figures(values: Readonly<Record<string, number>>): void {
  const text = Object.entries(values).map(([name, value]) => `${name} ${Math.round(value)}`);
  process.stdout.write(`  ${expect.getState().currentTestName}: ${text.join(", ")}\n`);
}

describe.each(["kafkajs", "confluent"] as const)("faults, %s", (driver) => {
  test("acknowledgements that are lost make neither loss nor duplicates nor disorder in the log", async () => {
    await using lab = await KafkaLab.start({ network: "proxied" });
    const topic = "lost-acks";
    await lab.createTopic(topic, 4);
    const ledger = createLedger();
    const load = await startLoad(lab.process({ driver, producer: { timeoutMs: 60_000 } }), {
      topic,
      keys: 16,
      ledger,
    });
    await until(() => load.acknowledged > 1_000, { timeoutMs: 20_000, what: "the load to run" });
    for (let round = 0; round < 3; round += 1) {
      const loss = await lab.cluster.partitionNetwork(1, "lose-responses");
      await loss.firstLoss;
      loss.heal();
      const { acknowledged } = load;
      await until(() => load.acknowledged > acknowledged + 500, {
        timeoutMs: 40_000,
        what: "the load to go on",
      });
    }
    const published = await load.stop();
    const group = "lost-acks-reader";
    const member = await startMember(lab.process({ driver }), { topic, group, ledger });
    await closeBooks(
      lab.process({ driver }),
      { group, ledger, timeoutMs: 60_000 },
      { maxDuplicates: 0 },
    );
    figures({ published, "longest publish gap ms": load.longestGapMs });
    await member.close();
  });

  test("a leader and the group's coordinator that die lose and reorder nothing", async () => {
    await using lab = await KafkaLab.start({ nodes: 3, brokerConfig: FAST_FAILOVER });
    const topic = "dying-brokers";
    await lab.createTopic(topic, 6);
    const ledger = createLedger();
    const group = "dying-brokers-group";
    const load = await startLoad(lab.process({ driver, producer: { timeoutMs: 60_000 } }), {
      topic,
      keys: 64,
      ledger,
      pauseMs: 5,
    });
    const member = await startMember(lab.process({ driver }), { topic, group, ledger });
    await until(() => member.handled > 1_000, { timeoutMs: 30_000, what: "the member to work" });
    for (const node of [1, 2, 3]) {
      await lab.cluster.kill(node);
      const { handled } = member;
      await until(() => member.handled > handled + 500, {
        timeoutMs: 60_000,
        what: `the member to go on without node ${node}`,
      });
      await lab.cluster.restart(node);
      await sleep(2_000);
    }
    const published = await load.stop();
    await closeBooks(
      lab.process({ driver }),
      { group, ledger, timeoutMs: 90_000 },
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

  test("a topic that is deleted does not stop the other topics of its member", async () => {
    await using lab = await KafkaLab.start();
    const [kept, deleted] = ["kept", "deleted"] as const;
    await lab.createTopic(kept, 1);
    await lab.createTopic(deleted, 1);
    const host = testHost();
    const transport = lab.process({ driver }).create(host);
    await transport.connect();
    const received: string[] = [];
    const subscription = await transport.subscribe(
      { group: "g", topics: [{ topic: kept }, { topic: deleted }] },
      (delivery) => {
        received.push(Buffer.from(delivery.value ?? []).toString());
        delivery.settle({ kind: "ack" });
      },
    );
    await transport.capabilities.topics?.delete([deleted]);
    await sleep(7_000);
    await transport.publish([
      { topic: kept, key: null, value: Buffer.from("still here"), headers: [] },
    ]);
    await until(() => received.includes("still here"), {
      timeoutMs: 30_000,
      what: "a message of the topic that is left",
    });
    // Confluent's client says nothing of it; its driver looks every 15 s.
    const isTold = (): boolean =>
      host.events.some(({ kind }) => kind === "warning" || kind === "disconnected");
    await until(isTold, { timeoutMs: 60_000, what: "word of the topic that is gone" });
    await subscription.close({ drainTimeoutMs: 1_000 });
    await transport.close({ drainTimeoutMs: 1_000 });
  });

  test("the only topic of a member that is deleted and made anew is consumed again", async () => {
    await using lab = await KafkaLab.start();
    const topic = "made-anew";
    await lab.createTopic(topic, 1);
    const transport = lab.process({ driver }).create(testHost());
    await transport.connect();
    const received: string[] = [];
    const subscription = await transport.subscribe(
      { group: "made-anew-group", topics: [{ topic }] },
      (delivery) => {
        received.push(Buffer.from(delivery.value ?? []).toString());
        delivery.settle({ kind: "ack" });
      },
    );
    await transport.capabilities.topics?.delete([topic]);
    await sleep(7_000);
    await lab.createTopic(topic, 1);
    await transport.publish([{ topic, key: null, value: Buffer.from("anew"), headers: [] }]);
    await until(() => received.includes("anew"), {
      timeoutMs: 40_000,
      what: "a message of the new topic",
    });
    await subscription.close({ drainTimeoutMs: 1_000 });
    await transport.close({ drainTimeoutMs: 1_000 });
  });
});
