import { createEventBus } from "@bus/core";
import type { EventBus } from "@bus/core";
import { createLedger, until } from "@bus/testkit";
import { expect, test } from "vitest";
import type { KafkaDriverName } from "../src/index.ts";
import { KafkaLab } from "./kafka-lab.ts";
import { closeBooks, startLoad, startMember } from "./ledger-load.ts";

test("members with both clients share a group: partitions are divided, nothing is lost or handled twice", async () => {
  await using lab = await KafkaLab.start();
  const [topic, group] = ["mixed", "mixed-group"];
  await lab.createTopic(topic, 6);
  const ledger = createLedger();
  const load = await startLoad(lab.process(), { topic, keys: 48, ledger, pauseMs: 5 });
  const processOf = (driver: KafkaDriverName) =>
    lab.process({ driver, consumer: { assignor: "roundrobin" } });
  const first = await startMember(processOf("kafkajs"), { topic, group, ledger });
  await until(() => first.handled > 300, { timeoutMs: 20_000, what: "the first to work" });
  const second = await startMember(processOf("confluent"), { topic, group, ledger });
  await until(() => second.handled > 300, { timeoutMs: 30_000, what: "the second to work" });
  const third = await startMember(processOf("kafkajs"), { topic, group, ledger });
  await until(() => third.handled > 300, { timeoutMs: 30_000, what: "the third to work" });
  await second.close();
  const { handled } = first;
  await until(() => first.handled > handled + 300, { timeoutMs: 30_000, what: "the first" });
  const published = await load.stop();
  await closeBooks(lab.process(), { group, ledger, timeoutMs: 60_000 }, { maxDuplicates: 0 });
  process.stdout.write(`  ${published} published, ${ledger.duplicates} handled twice\n`);
  await Promise.all([first.close(), third.close()]);
});

test("the same key goes to the same partition with both clients, whichever the hash", async () => {
  await using lab = await KafkaLab.start();
  const topic = "same-partition";
  await lab.createTopic(topic, 7);
  const keys = ["a", "key-1", "ümläut", "😀", "x".repeat(500), "0", " "];
  const partitionsOf = async (bus: EventBus): Promise<readonly number[]> => {
    await bus.start();
    const receipts = await Promise.all(
      keys.map((key) => bus.publish(topic, Buffer.from("v"), { key })),
    );
    await bus.close();
    return receipts.map(({ partition }) => partition);
  };
  for (const partitioner of ["murmur2", "fnv1a"] as const) {
    const [ours, theirs] = await Promise.all(
      (["kafkajs", "confluent"] as const).map((driver) =>
        partitionsOf(
          createEventBus({ transport: lab.process({ driver, producer: { partitioner } }) }),
        ),
      ),
    );
    expect(ours).toEqual(theirs);
    expect(new Set(ours).size).toBeGreaterThan(2);
  }
});
