import { afterAll, test } from "vitest";
import { formatConformanceTable, runConformance } from "@bus/testkit";
import type { ConformanceSubject } from "@bus/testkit";
import type { NatsVersion } from "@bus/tools-brokers";
import { kitFaults, kitOptions } from "./kit-subject.ts";
import { NatsLab } from "./nats-lab.ts";

/** The whole kit on a server of one version, for topics without partitions. */
export async function unorderedKit(version: NatsVersion): Promise<void> {
  const lab = await NatsLab.start({ processes: 400, version });
  const faults = kitFaults(lab);
  const subject: ConformanceSubject = {
    name: `nats ${version} without partitions`,
    transport: (overrides) => lab.process(kitOptions(overrides)),
    timings: { stepMs: 20_000, takeoverMs: 15_000 },
    faults: { crash: faults.crash, disconnect: faults.disconnect },
    skip: [
      "lag is truthful: with nothing committed it is everything for earliest and nothing for latest",
      "lag is truthful: it counts what is not committed, partition by partition, down to zero",
      "lag is truthful: a partition is old while a message older than asked is unconsumed, and not before or after",
      "group isolation and fan-out: two members of a group share its messages and repeat none",
    ].map((name) => ({
      test: name,
      reason: "without partitions a topic has one, whatever is asked for",
    })),
  };
  const run = runConformance(subject, {
    test: (name, body, { timeoutMs, alone }) =>
      (alone ? test : test.concurrent)(name, body, timeoutMs),
    skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
  });
  afterAll(async () => {
    process.stdout.write(`${formatConformanceTable(run.results)}\n`);
    await lab[Symbol.asyncDispose]();
  });
}
