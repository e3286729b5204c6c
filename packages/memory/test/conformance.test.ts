import { afterAll, expect, test } from "vitest";
import { formatConformanceTable, runConformance } from "@bus/testkit";
import type { ConformanceSubject } from "@bus/testkit";
import { memory, memoryBroker } from "@bus/memory";

const broker = memoryBroker();

const subject: ConformanceSubject = {
  name: "memory",
  transport: (overrides = {}) =>
    memory({
      broker,
      autoCreateTopics: "never",
      sessionTimeoutMs: 200,
      rebalanceDrainMs: 150,
      ...overrides,
    }),
  timings: {
    stepMs: 10_000,
    quietMs: 80,
    takeoverMs: 5_000,
    commitMs: 500,
    redeliveryLateMs: 2_000,
    closeLateMs: 3_000,
  },
  faults: {
    crash: (process) => Promise.resolve(broker.faults.crash(process)),
    disconnect: (process) => {
      const restore = broker.faults.dropConnection(process);
      return Promise.resolve(() => Promise.resolve(restore()));
    },
    revoke: (process, group) => Promise.resolve(broker.faults.revoke(group, process)),
    makeGap: ({ topic, partition }) =>
      Promise.resolve(broker.faults.insertGap(topic, partition, 3)),
    removeBefore: ({ topic, partition }, offset) =>
      Promise.resolve(broker.faults.removeBefore(topic, partition, offset)),
  },
};

const run = runConformance(subject, {
  test: (name, body, { timeoutMs, alone }) =>
    (alone ? test : test.concurrent)(name, body, timeoutMs),
  skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
});

test("memory can cause every fault and has every capability of the kit: nothing is skipped", () => {
  expect(run.results.filter(({ outcome }) => outcome === "skipped")).toEqual([]);
});

afterAll(() => process.stdout.write(`${formatConformanceTable(run.results)}\n`));
