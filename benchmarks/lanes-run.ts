import { aggregate } from "@bus/aggregate";
import { kafkajsDriver } from "@bus/kafka/kafkajs";
import type { HandlerTimes } from "./handler-waits.ts";
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
  /** Milliseconds that handlers took in truth in each run, the one to warm up not included. */
  readonly times: readonly ReturnType<HandlerTimes["means"]>[];
  /** Most memory that the process had. */
  readonly peakRssMb: number;
}

const job: LanesJob = JSON.parse(process.argv[2] ?? "{}");
const { handlerMs, concurrency, rounds } = job;
const times: ReturnType<HandlerTimes["means"]>[] = [];
const lanes = busConsumer(job, {
  name: "lanes",
  driver: kafkajsDriver(),
  plugins: [aggregate({ concurrency, maxLanes: 10_000 })],
  subscribe: { ordering: "key" },
  ...(handlerMs === undefined ? {} : { handlerMs }),
  onWaited: (ofRun) => void times.push(ofRun.means()),
});
const contenders = job.besideRaw ? [rawKafkajsConsumer(job), lanes] : [lanes];
const outcome: LanesOutcome = {
  results: await runSideBySide(contenders, rounds),
  times: times.slice(1),
  peakRssMb: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(JSON.stringify(outcome));
