import { aggregate } from "@bus/aggregate";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import { measureStepMs } from "./handler-waits.ts";
import { busConsumer, rawKafkajsConsumer } from "./kafka-contenders.ts";
import type { ConsumeJob } from "./kafka-contenders.ts";
import { runSideBySide } from "./side-by-side.ts";
import type { ContenderResult } from "./side-by-side.ts";

/**
 * One case of the lanes bench in a process of its own, so that its memory is that of a service which only consumes.
 * Arguments: a `LanesJob` as JSON; prints a `LanesOutcome` as JSON.
 */
export interface LanesJob extends ConsumeJob {
  /** Milliseconds that the handler waits; none: it does nothing. */
  readonly handlerMs?: number;
  /** Run raw kafkajs in turns with the lanes. */
  readonly besideRaw?: true;
  readonly concurrency: number;
  readonly rounds: number;
}

/** What the process measured. */
export interface LanesOutcome {
  readonly results: readonly ContenderResult[];
  /** Milliseconds that one handler after the other takes in a bare loop of the same process. */
  readonly stepMs: number;
  /** Most memory that the process had. */
  readonly peakRssMb: number;
}

const STEPS_MS = 1_000;

const job: LanesJob = JSON.parse(process.argv[2] ?? "{}");
const { handlerMs, concurrency, rounds } = job;
const lanes = busConsumer(job, {
  name: "lanes",
  driver: kafkajsDriver(),
  plugins: [aggregate({ concurrency, maxLanes: 10_000 })],
  subscribe: { ordering: "key" },
  ...(handlerMs === undefined ? {} : { handlerMs }),
});
const contenders = job.besideRaw ? [rawKafkajsConsumer(job), lanes] : [lanes];
const outcome: LanesOutcome = {
  stepMs: handlerMs === undefined ? 0 : await measureStepMs(handlerMs, STEPS_MS / handlerMs),
  results: await runSideBySide(contenders, rounds),
  peakRssMb: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(JSON.stringify(outcome));
