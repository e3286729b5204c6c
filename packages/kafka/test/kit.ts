import { formatConformanceTable, runConformance } from "@bus/testkit";
import type { ConformanceRun, ConformanceSubject, TransportOverrides } from "@bus/testkit";
import { afterAll, expect, test } from "vitest";
import type { ConsumerOptions } from "../src/index.ts";
import type { ConfluentLab } from "./confluent-lab.ts";
import type { KafkaLab } from "./kafka-lab.ts";

/** Run the kit in this file: its tests side by side, for they wait more than they work. */
export function runKit(name: string, lab: KafkaLab | ConfluentLab): void {
  const run = runConformance(subject(name, lab), {
    test: (title, body, { timeoutMs, alone }) =>
      (alone ? test : test.concurrent)(title, body, timeoutMs),
    skip: (title, reason) => test.skip(`${title} (skipped: ${reason})`),
  });
  test(`only what Kafka cannot do is skipped, ${name}`, () => {
    expect(skippedGuarantees(run)).toEqual(new Set(["redelivery after nack"]));
  });
  afterAll(async () => {
    process.stdout.write(`${formatConformanceTable(run.results)}\n`);
    await lab[Symbol.asyncDispose]();
  });
}

function skippedGuarantees({ results }: ConformanceRun): ReadonlySet<string> {
  const skipped = results.filter(({ outcome }) => outcome === "skipped");
  return new Set(skipped.map(({ guarantee }) => guarantee));
}

function subject(name: string, lab: KafkaLab | ConfluentLab): ConformanceSubject {
  return {
    name,
    transport: (overrides) => lab.process({ consumer: consumerOf(overrides) }),
    timings: { takeoverMs: 15_000 },
    faults: {
      crash: (process) => {
        lab.sever(process);
        return Promise.resolve();
      },
      disconnect: (process) => {
        const restore = lab.sever(process);
        return Promise.resolve(() => Promise.resolve(restore()));
      },
      revoke: (process, group) => lab.expel(process, group),
      makeGap: (partition) => lab.makeGap(partition),
      removeBefore: (partition, offset) => lab.removeBefore(partition, offset),
    },
  };
}

function consumerOf({ startFrom, ...consumer }: TransportOverrides = {}): ConsumerOptions {
  return startFrom === undefined ? consumer : { ...consumer, autoOffsetReset: startFrom };
}
