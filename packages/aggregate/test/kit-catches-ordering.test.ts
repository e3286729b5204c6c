import { expect, test } from "vitest";
import { runOrderingConformance } from "@bus/testkit";
import type { OrderingBusRequest, OrderingSubject } from "@bus/testkit";
import { memoryOrdering, openBus } from "./support/ordering-subjects.ts";

/** A bus that breaks one promise, and the tests of the kit that must notice. */
interface Broken {
  readonly what: string;
  readonly openBus: OrderingSubject["openBus"];
  readonly failing: readonly string[];
}

const FLIPS =
  "recovery mode: a hundred switches under load put no key out of order and overlap nothing";
let message = 0;

const BROKEN: readonly Broken[] = [
  {
    what: "gives every message an aggregate of its own",
    openBus: (request) =>
      openBus(request, { aggregateIdExtractor: () => `${message++}`, maxLanes: 10_000 }),
    failing: [
      "order by key: slow handlers of one partition run many at a time, one a key, in order",
    ],
  },
  {
    what: "handles one key after the other",
    openBus: (request) => openBus({ ...request, concurrency: 1 }),
    failing: [
      "order by key: slow handlers of one partition run many at a time, one a key, in order",
      "order by key: failing handlers of one partition run many at a time, one a key, in order",
    ],
  },
  {
    what: "runs messages of a key at once in normal mode",
    openBus: (request) => openBus(request, { orderedProcessing: false }),
    failing: [FLIPS],
  },
  {
    what: "ignores that the mode is set by hand",
    openBus: (request) => Object.assign(openBus(request), { setRecoveryMode: () => undefined }),
    failing: [
      FLIPS,
      "recovery mode: a mode set by hand stays until it is given back to the checks",
    ],
  },
  {
    what: "never leaves recovery",
    openBus: (request) => openBus(request, { clearChecks: 1_000_000 }),
    failing: [
      "recovery mode: a bus that starts in recovery leaves it once checks find no backlog",
      "recovery mode: a backlog switches it on, and its end switches it off",
    ],
  },
  {
    what: "takes everything for a backlog",
    openBus: (request) => openBus({ ...request, maxLagMessages: 0 }),
    failing: ["backlog detection: a lag within its bound is clear"],
  },
  {
    what: "takes a lag that cannot be read for none",
    openBus: (request) =>
      reading(request, (verdict) => (verdict === "unknown" ? "clear" : verdict)),
    failing: ["backlog detection: a lag that cannot be read is unknown, never clear"],
  },
  {
    what: "sees no backlog",
    openBus: (request) => openBus({ ...request, maxLagMessages: 1_000_000 }),
    failing: [
      "backlog detection: messages that wait for their handlers are a backlog until they are handled",
      "recovery mode: a backlog switches it on, and its end switches it off",
    ],
  },
];

type Verdict = Awaited<ReturnType<ReturnType<OrderingSubject["openBus"]>["backlog"]["check"]>>;

/** A bus whose detector says something else than it found. */
function reading(
  request: OrderingBusRequest,
  say: (verdict: Verdict) => Verdict,
): ReturnType<OrderingSubject["openBus"]> {
  const bus = openBus(request);
  const check = async (): Promise<Verdict> => say(await bus.backlog.check());
  return Object.assign(Object.create(bus) as typeof bus, { backlog: { check } });
}

test.concurrent.each(BROKEN)("a bus that $what is noticed", async ({ openBus: open, failing }) => {
  const subject = { ...memoryOrdering(), openBus: open };
  const impatient = { ...subject, timings: { ...subject.timings, stepMs: 2_000, takeoverMs: 500 } };
  const bodies: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  runOrderingConformance(impatient, {
    test: (name, body) => void bodies.push({ name: name.slice("memory: ".length), body }),
  });
  const chosen = bodies.filter(({ name }) => failing.includes(name));
  expect(chosen.map(({ name }) => name).toSorted()).toEqual([...failing].toSorted());
  for (const { body } of chosen) await expect(body()).rejects.toBeInstanceOf(Error);
});
