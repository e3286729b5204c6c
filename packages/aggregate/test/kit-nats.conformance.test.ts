import { afterAll, expect, test } from "vitest";
import { formatConformanceTable, runOrderingConformance } from "@bus/testkit";
import { kitFaults, kitOptions } from "../../nats/test/kit-subject.ts";
import { NatsLab } from "../../nats/test/nats-lab.ts";
import { openBus } from "./support/ordering-subjects.ts";

/** More than the kit makes in one run. */
const MAX_PROCESSES = 60;

const lab = await NatsLab.start({ processes: MAX_PROCESSES });
const { crash, disconnect } = { ...kitFaults(lab) };

const run = runOrderingConformance(
  {
    name: "nats",
    transport: (overrides) => lab.process({ partitions: 4, ...kitOptions(overrides) }),
    openBus: (request) => openBus(request),
    timings: { takeoverMs: 15_000 },
    faults: { crash, disconnect },
  },
  {
    test: (name, body, { timeoutMs }) => test.concurrent(name, body, timeoutMs),
    skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
  },
);

test("nothing is skipped", () => {
  expect(run.results.filter(({ outcome }) => outcome === "skipped")).toEqual([]);
});

afterAll(async () => {
  process.stdout.write(`${formatConformanceTable(run.results)}\n`);
  await lab[Symbol.asyncDispose]();
});
