import { strict as assert } from "node:assert";
import { RetryLater } from "@bus/core";
import { aborted } from "./behaviour.ts";
import type { Behaviour } from "./behaviour.ts";
import { consume } from "./consumer.ts";
import type { ConsumerOptions } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { publishNumbered } from "./numbered.ts";

/** After close nothing keeps the process alive: no timer, no socket, no handle. */
export const leavesNothing: Guarantee = {
  name: "nothing left after close",
  tests: [
    {
      name: "a transport that was connected and closed leaves no timer, socket or handle",
      alone: true,
      run: connectedOnly,
    },
    ...(["slow", "failing", "aborted"] as const).map((behaviour) => ({
      name: `a bus closed with ${behaviour} handlers leaves no timer, socket or handle`,
      alone: true,
      run: (lab: Lab) => closedBus(lab, behaviour),
    })),
    {
      name: "a bus closed while it is cut off leaves no timer, socket or handle once it could notice",
      alone: true,
      needs: ["disconnect"],
      run: closedWhileCutOff,
    },
  ],
};

async function connectedOnly(lab: Lab): Promise<void> {
  const before = resources();
  const { transport } = await lab.process();
  await lab.within(transport.close({ drainTimeoutMs: 0 }), "a transport to close");
  await backTo(lab, before);
}

async function closedBus(lab: Lab, behaviour: Behaviour): Promise<void> {
  const before = resources();
  const topic = await lab.topic(2);
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 6, perKey: 10 });
  const consumer = await consume(lab, {
    group: lab.group(),
    topics: [topic],
    handle: HANDLERS[behaviour],
  });
  await lab.until(() => consumer.peakRunning > 0, "handlers to be at work");
  await consumer.bus.publish(topic, new Uint8Array(1), { key: "key" });
  await lab.within(consumer.bus.close({ drainTimeoutMs: 50 }), "a bus to close");
  await lab.within(transport.close({ drainTimeoutMs: 0 }), "the publisher to close");
  await backTo(lab, before);
}

async function closedWhileCutOff(lab: Lab): Promise<void> {
  const before = resources();
  const topic = await lab.topic(2);
  const { transport } = await lab.publisher();
  const consumer = await consume(lab, { group: lab.group(), topics: [topic] });
  await publishNumbered(transport, { topic, keys: 6, perKey: 10 });
  await lab.until(() => consumer.handled === 60, "60 handled messages", {
    state: () => consumer.handled,
  });
  const restore = await lab.subject.faults?.disconnect?.(consumer.configured);
  await lab.quiet();
  await lab.within(consumer.bus.close({ drainTimeoutMs: 50 }), "a bus that is cut off to close", {
    timeoutMs: 50 + lab.timings.closeLateMs,
  });
  await restore?.();
  await lab.within(transport.close({ drainTimeoutMs: 0 }), "the publisher to close");
  await backTo(lab, before);
}

const HANDLERS: Readonly<Record<Behaviour, NonNullable<ConsumerOptions["handle"]>>> = {
  prompt: () => undefined,
  slow: async (_message, context) =>
    Promise.race([aborted(context.signal), new Promise((resolve) => setImmediate(resolve))]).then(
      () => undefined,
    ),
  failing: () => {
    throw new RetryLater({ afterMs: 60_000, reason: "not for a minute" });
  },
  aborted: (_message, context) => aborted(context.signal),
};

type Resources = ReadonlyMap<string, number>;

/** What keeps the process alive now, by kind. */
function resources(): Resources {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

async function backTo(lab: Lab, before: Resources): Promise<void> {
  const added = (): readonly string[] =>
    [...resources()]
      .filter(([kind, count]) => count > (before.get(kind) ?? 0))
      .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`);
  await lab.until(() => added().length === 0, "everything to be released after close", {
    timeoutMs: lab.timings.closeLateMs,
    state: () => added().join(", "),
  });
  assert.deepEqual(added(), []);
}
