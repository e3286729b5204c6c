import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createLedger, until } from "@bus/testkit";
import { FAST_FAILOVER } from "@bus/tools-brokers";
import { KafkaLab } from "./kafka-lab.ts";
import { closeBooks, startLoad, startMember } from "./ledger-load.ts";

function figures(values: Readonly<Record<string, number>>): void {
  const text = Object.entries(values).map(([name, value]) => `${name} ${Math.round(value)}`);
  process.stdout.write(`  ${expect.getState().currentTestName}: ${text.join(", ")}\n`);
}

const OFFSETS_TOPIC = "__consumer_offsets";

/** A group whose coordinator is this node: the leader of the partition that its name's hash chooses. */
async function groupCoordinatedBy({ admin }: KafkaLab, node: number): Promise<string> {
  // Asked for any coordinator, the cluster makes the topic of offsets.
  await admin.describeGroups(["any"]);
  const { topics } = await admin.fetchTopicMetadata({ topics: [OFFSETS_TOPIC] });
  const partitions = topics[0]?.partitions ?? [];
  const isTheirs = (name: string): boolean =>
    partitions.find(({ partitionId }) => partitionId === javaHash(name) % partitions.length)
      ?.leader === node;
  const names = Array.from({ length: 100 }, (_, index) => `freezing-brokers-${index}`);
  const found = names.find(isTheirs);
  if (found === undefined) throw new Error(`node ${node} coordinates no group`);
  return found;
}

/** `String.hashCode()` of Java, as Kafka makes it positive. */
function javaHash(text: string): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(31, hash) + (character.codePointAt(0) ?? 0)) | 0;
  return hash & 0x7f_ff_ff_ff;
}

describe.each(["kafkajs", "confluent"] as const)("frozen brokers, %s", (driver) => {
  test("brokers that freeze with their connections open are left, and lose nothing when they thaw", async () => {
    await using lab = await KafkaLab.start({ nodes: 3, brokerConfig: FAST_FAILOVER });
    // A broker that is frozen is left when this has passed.
    const net = { readTimeoutMs: 10_000 };
    const topic = "freezing-brokers";
    await lab.createTopic(topic, 6);
    const ledger = createLedger();
    // Its coordinator is the broker that freezes first, and that a client which begins anew would ask first.
    const group = await groupCoordinatedBy(lab, 1);
    const load = await startLoad(lab.process({ driver, net, producer: { timeoutMs: 60_000 } }), {
      topic,
      keys: 64,
      ledger,
      pauseMs: 5,
    });
    const member = await startMember(lab.process({ driver, net }), { topic, group, ledger });
    await until(() => member.handled > 1_000, { timeoutMs: 30_000, what: "the member to work" });
    for (const node of [1, 2]) {
      await lab.cluster.pause(node);
      const { handled } = member;
      await until(() => member.handled > handled + 500, {
        timeoutMs: 60_000,
        what: `the member to go on without node ${node}`,
      });
      await lab.cluster.resume(node);
      await sleep(5_000);
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
});
