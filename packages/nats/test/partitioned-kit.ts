import { afterAll, expect, test } from "vitest";
import { formatConformanceTable, runConformance } from "@bus/testkit";
import type { ConformanceSubject } from "@bus/testkit";
import type { NatsVersion } from "@bus/tools-brokers";
import { kitFaults, kitOptions } from "./kit-subject.ts";
import type { KitFaults } from "./kit-subject.ts";
import { NatsLab } from "./nats-lab.ts";

/** The whole kit on a server of one version, for topics with partitions. */
export async function partitionedKit(version: NatsVersion): Promise<void> {
  const lab = await NatsLab.start({ processes: 500, version });
  const faults = kitFaults(lab);
  const subject: ConformanceSubject = {
    name: `nats ${version}`,
    transport: (overrides) => lab.process({ partitions: 4, ...kitOptions(overrides) }),
    timings: { stepMs: 20_000, takeoverMs: 15_000 },
    faults: version === "2.9.10" ? beforePurgesKept(faults) : faults,
  };
  const run = runConformance(subject, {
    test: (name, body, { timeoutMs, alone }) =>
      (alone ? test : test.concurrent)(name, body, timeoutMs),
    skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
  });
  test("only what partitions of NATS cannot do is skipped", () => {
    const skipped = run.results.filter(({ outcome }) => outcome === "skipped");
    expect(new Set(skipped.map(({ guarantee }) => guarantee))).toEqual(
      new Set(["redelivery after nack", ...(version === "2.9.10" ? ["lag is truthful"] : [])]),
    );
  });
  afterAll(async () => {
    process.stdout.write(`${formatConformanceTable(run.results)}\n`);
    await lab[Symbol.asyncDispose]();
  });
}

/** After a purge, servers of 2.9 say of a consumer that nothing which they delivered before is unacknowledged. */
function beforePurgesKept(faults: KitFaults): Omit<KitFaults, "removeBefore"> {
  const { crash, disconnect, makeGap, revoke } = faults;
  return { crash, disconnect, makeGap, revoke };
}
