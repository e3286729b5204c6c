import { strict as assert } from "node:assert";
import { BusError } from "@bus/core";
import type { CloseReport } from "@bus/core";
import { createLedger } from "../ledger.ts";
import { testHost } from "../test-host.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { Consumer, consume } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import { publishNumbered } from "./numbered.ts";
import { startPublishing } from "./steady-publisher.ts";

/** Close works at any time, however often it is called, and loses nothing. */
export const close: Guarantee = {
  name: "close at any time",
  tests: [
    { name: "close before connect, twice and at the same time has one outcome", run: closedEarly },
    {
      name: "closing twice and at the same time has one outcome, and everything after it is refused",
      run: closedTwice,
    },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `close while ${behaviour} handlers run and messages are published leaves the rest to the next`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(3);
        const group = lab.group();
        const ledger = createLedger();
        const publisher = startPublishing(lab, { topic, keys: 9, ledgers: [ledger] });
        const first = await consume(lab, { group, topics: [topic], behaviour, ledger });
        await lab.until(
          () => first.handled > 5 || (behaviour === "aborted" && first.running > 0),
          "handlers to be at work",
        );
        const drainTimeoutMs = behaviour === "aborted" ? 30 : lab.timings.stepMs;
        await closeInTime(lab, first, drainTimeoutMs);
        await consume(lab, { group, topics: [topic], ledger });
        await publisher.stop();
        await closeBooks(lab, ledger, { group, topics: [topic] });
      },
    })),
    { name: "a bus publishes until its last handler has ended", run: publishFromLastHandler },
    {
      name: "close while members join and leave neither hangs nor loses",
      needs: ["partitionOrder"],
      run: closeWhileRebalancing,
    },
    {
      name: "close while cut off returns in time and loses nothing",
      needs: ["disconnect"],
      run: closeWhileCutOff,
    },
  ],
};

async function closedEarly(lab: Lab): Promise<void> {
  const transport = lab.subject.transport().create(testHost());
  const reports = await lab.within(
    Promise.all([transport.close({ drainTimeoutMs: 10 }), transport.close({ drainTimeoutMs: 10 })]),
    "a transport that never connected to close",
  );
  assert.deepEqual(reports, [{ abandonedDeliveries: 0 }, { abandonedDeliveries: 0 }]);
}

async function closedTwice(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const { transport } = await lab.process();
  const { subscription } = await join(
    lab,
    { ...(await lab.publisher()), transport },
    { group: lab.group(), topics: [topic], react: acknowledge },
  );
  await publishNumbered(transport, { topic, keys: 1, perKey: 10 });
  const closing = [
    subscription.close({ drainTimeoutMs: 1_000 }),
    transport.close({ drainTimeoutMs: 1_000 }),
    transport.close({ drainTimeoutMs: 1_000 }),
  ];
  const reports = await lab.within(Promise.all(closing), "three closes at the same time");
  const again = await lab.within(transport.close({ drainTimeoutMs: 0 }), "another close");
  const expected: CloseReport = { abandonedDeliveries: 0 };
  assert.deepEqual([...reports, again], [expected, expected, expected, expected]);
  const refused = (error: unknown): boolean => BusError.is(error, "BUS_CLOSED");
  await assert.rejects(
    publishNumbered(transport, { topic, keys: 1, perKey: 1 }),
    refused,
    "publish after close is BUS_CLOSED",
  );
  const late = transport.subscribe({ group: lab.group(), topics: [{ topic }] }, () => undefined);
  await assert.rejects(late, refused, "subscribe after close is BUS_CLOSED");
}

async function publishFromLastHandler(lab: Lab): Promise<void> {
  const [topic, results] = [await lab.topic(), await lab.topic()];
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  let started = false;
  const consumer = new Consumer(lab, {
    group,
    topics: [topic],
    ledger,
    handle: async () => {
      started = true;
      await lab.quiet(40);
      await consumer.bus.publish(results, new Uint8Array(1));
    },
  });
  await consumer.start();
  await publishNumbered(transport, { topic, keys: 1, perKey: 1 }, [ledger]);
  await lab.until(() => started, "the handler to run");
  await closeInTime(lab, consumer, lab.timings.stepMs);
  await closeBooks(lab, ledger, { group, topics: [topic] });
  const reader = await join(lab, await lab.publisher(), {
    group: lab.group(),
    topics: [results],
    react: acknowledge,
  });
  await lab.until(() => reader.received.length === 1, "what the last handler published");
}

async function closeWhileRebalancing(lab: Lab): Promise<void> {
  const topic = await lab.topic(4);
  const options = {
    group: lab.group(),
    topics: [topic],
    behaviour: "slow" as const,
    ledger: createLedger(),
  };
  const publisher = startPublishing(lab, { topic, keys: 12, ledgers: [options.ledger] });
  const first = await consume(lab, options);
  await lab.until(() => first.handled > 10, "the first member to be at work");
  const [second, third] = [new Consumer(lab, options), new Consumer(lab, options)];
  const joining = Promise.allSettled([second.start(), third.start()]);
  await lab.quiet(10);
  const timeoutMs = lab.timings.stepMs + lab.timings.takeoverMs;
  await lab.within(
    first.bus.close({ drainTimeoutMs: lab.timings.stepMs }),
    "a member to leave while others join",
    { timeoutMs },
  );
  await lab.within(
    third.bus.close({ drainTimeoutMs: lab.timings.stepMs }),
    "a member to leave while it joins",
    { timeoutMs },
  );
  await joining;
  await publisher.stop();
  await closeBooks(lab, options.ledger, { ...options, timeoutMs, maxDuplicates: 24 });
  lab.figures["duplicates"] = options.ledger.duplicates;
}

async function closeWhileCutOff(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  const cutOff = await consume(lab, { group, topics: [topic], ledger, behaviour: "slow" });
  await publishNumbered(transport, { topic, keys: 8, perKey: 10 }, [ledger]);
  await lab.until(() => cutOff.handled > 5, "handlers to be at work");
  const restore = await lab.subject.faults?.disconnect?.(cutOff.configured);
  await closeInTime(lab, cutOff, 500);
  const handled = cutOff.handled;
  await restore?.();
  await consume(lab, { group, topics: [topic], ledger });
  const timeoutMs = lab.timings.stepMs + lab.timings.takeoverMs;
  // It could not commit while it was cut off: at worst all of its work is repeated.
  await closeBooks(lab, ledger, { group, topics: [topic], timeoutMs, maxDuplicates: handled });
  lab.figures["duplicates"] = ledger.duplicates;
}

async function closeInTime(
  lab: Lab,
  consumer: Consumer,
  drainTimeoutMs: number,
): Promise<CloseReport> {
  const timeoutMs = drainTimeoutMs + lab.timings.closeLateMs;
  return lab.within(consumer.bus.close({ drainTimeoutMs }), "a bus to close within its deadline", {
    timeoutMs,
  });
}
