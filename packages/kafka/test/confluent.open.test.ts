import { afterAll, expect, test } from "vitest";
import { formatConformanceTable, runConformance } from "@bus/testkit";
import type { ConformanceSubject } from "@bus/testkit";
import { ConfluentLab } from "./confluent-lab.ts";

/** More than the kit makes in one run. */
const MAX_PROCESSES = 300;

const lab = await ConfluentLab.start(MAX_PROCESSES);

const subject: ConformanceSubject = {
  name: "kafka with confluent",
  transport: ({ startFrom, ...consumer } = {}) =>
    lab.process({
      consumer: { ...consumer, ...(startFrom === undefined ? {} : { autoOffsetReset: startFrom }) },
    }),
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

const run = runConformance(subject, {
  test: (name, body, { timeoutMs }) => test(name, body, timeoutMs),
  skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
});

test("only what Kafka cannot do is skipped", () => {
  const skipped = run.results.filter(({ outcome }) => outcome === "skipped");
  expect(new Set(skipped.map(({ guarantee }) => guarantee))).toEqual(
    new Set(["redelivery after nack"]),
  );
});

afterAll(async () => {
  process.stdout.write(`${formatConformanceTable(run.results)}\n`);
  await lab[Symbol.asyncDispose]();
});
