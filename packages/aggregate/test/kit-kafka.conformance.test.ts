import { afterAll, expect, test } from "vitest";
import type { ConfiguredTransport } from "@bus/core";
import { formatConformanceTable, runOrderingConformance } from "@bus/testkit";
import type { OrderingSubject, TransportOverrides } from "@bus/testkit";
import { ConfluentLab } from "../../kafka/test/confluent-lab.ts";
import { KafkaLab } from "../../kafka/test/kafka-lab.ts";
import { openBus } from "./support/ordering-subjects.ts";

/** More than the kit makes in one run. */
const MAX_PROCESSES = 60;

const kafkajsLab = await KafkaLab.start();
const confluentLab = await ConfluentLab.start(MAX_PROCESSES);

/** What both labs have in common. */
interface Lab {
  process(options: { readonly consumer: object }): ConfiguredTransport;
  sever(process: ConfiguredTransport): () => void;
}

function subjectOf(name: string, lab: Lab): OrderingSubject {
  return {
    name,
    transport: ({ startFrom, ...consumer }: TransportOverrides = {}) =>
      lab.process({
        consumer: {
          ...consumer,
          ...(startFrom === undefined ? {} : { autoOffsetReset: startFrom }),
        },
      }),
    openBus: (request) => openBus(request),
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
}

const runs = [
  subjectOf("kafka with kafkajs", kafkajsLab),
  subjectOf("kafka with confluent", confluentLab),
].map((subject) =>
  runOrderingConformance(subject, {
    test: (name, body, { timeoutMs }) => test.concurrent(name, body, timeoutMs),
    skip: (name, reason) => test.skip(`${name} (skipped: ${reason})`),
  }),
);

test("nothing is skipped", () => {
  const results = runs.flatMap((run) => run.results);
  expect(results.filter(({ outcome }) => outcome === "skipped")).toEqual([]);
});

afterAll(async () => {
  process.stdout.write(`${formatConformanceTable(runs.flatMap(({ results }) => results))}\n`);
  await Promise.all([kafkajsLab[Symbol.asyncDispose](), confluentLab[Symbol.asyncDispose]()]);
});
