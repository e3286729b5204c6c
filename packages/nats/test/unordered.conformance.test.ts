import { afterAll, test } from "vitest";
import { formatConformanceTable, runConformance } from "@bus/testkit";
import type { ConformanceSubject } from "@bus/testkit";
import { NatsLab } from "./nats-lab.ts";

const lab = await NatsLab.start({ processes: 400 });

const subject: ConformanceSubject = {
  name: "nats without partitions",
  transport: ({ startFrom, maxInFlightMessages, maxInFlightBytes } = {}) =>
    lab.process({
      ...(startFrom === undefined ? {} : { startFrom }),
      ...(maxInFlightMessages === undefined ? {} : { maxAckPending: maxInFlightMessages }),
      ...(maxInFlightBytes === undefined ? {} : { maxInFlightBytes }),
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
  },
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
