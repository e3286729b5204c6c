import { strict as assert } from "node:assert";
import { RELEASE, Poison } from "@bus/core";
import { createLedger } from "../ledger.ts";
import { aborted, createGate } from "./behaviour.ts";
import type { Gate } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume } from "./consumer.ts";
import type { Consumer, ConsumerOptions } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join, keep } from "./member.ts";
import { publishNumbered } from "./numbered.ts";

/** What ends because ownership ends has not failed: it is not retried, dead-lettered, counted or committed. */
export const abortIsNotFailure: Guarantee = {
  name: "abort is not failure",
  tests: [
    {
      name: "a released delivery is not committed, and comes to the next member as its first attempt",
      run: released,
    },
    {
      name: "aborted handlers that throw, whatever they throw, are neither failed nor acknowledged",
      run: (lab) =>
        abortedHandlers(lab, async (_message, context) => {
          await aborted(context.signal);
          throw new Poison("this would be dead-lettered if it were a failure");
        }),
    },
    {
      name: "slow handlers that notice nothing and end after their abort are neither failed nor acknowledged",
      run: (lab) => {
        const gate = createGate();
        return abortedHandlers(lab, () => gate.opened, gate);
      },
    },
    {
      name: "failing handlers that wait for a retry when the bus closes are given back, not counted as handled",
      run: abortedRetries,
    },
    {
      name: "messages that had not begun when the bus closed are given back untouched",
      run: notBegun,
    },
  ],
};

async function released(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  const first = await join(lab, await lab.process(), { group, topics: [topic], react: keep });
  await publishNumbered(transport, { topic, keys: 1, perKey: 6 });
  await lab.until(() => first.received.length === 6, "6 deliveries", {
    state: () => first.received.length,
  });
  for (const received of first.received)
    void aborted(received.delivery.draining).then(() => received.settle(RELEASE));
  const report = await lab.within(
    first.subscription.close({ drainTimeoutMs: lab.timings.stepMs }),
    "the member to leave",
  );
  assert.equal(report.abandonedDeliveries, 0, "a released delivery is not abandoned");
  const next = await join(lab, await lab.process(), { group, topics: [topic], react: acknowledge });
  await lab.until(() => next.received.length >= 6, "the released messages", {
    state: () => next.received.length,
  });
  await lab.quiet();
  assert.deepEqual(
    next.received.map(({ attempt }) => attempt),
    [1, 1, 1, 1, 1, 1],
    "each comes once, as attempt 1",
  );
}

async function abortedHandlers(
  lab: Lab,
  handle: NonNullable<ConsumerOptions["handle"]>,
  gate?: Gate,
): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const { transport } = await lab.publisher();
  const ledger = createLedger();
  await publishNumbered(transport, { topic, keys: 4, perKey: 3 }, [ledger]);
  const stuck = await consume(lab, { group, topics: [topic], handle });
  await lab.until(() => stuck.running > 0, "a handler to run");
  await lab.within(
    stuck.bus.close({ drainTimeoutMs: 20 }),
    "a bus with running handlers to close",
    {
      timeoutMs: 20 + lab.timings.closeLateMs,
    },
  );
  gate?.open();
  await lab.until(() => stuck.running === 0, "the aborted handlers to end");
  nothingFailed(stuck);
  const attempts: number[] = [];
  await consume(lab, {
    group,
    topics: [topic],
    ledger,
    handle: (_message, { attempt }) => void attempts.push(attempt),
  });
  await closeBooks(lab, ledger, { group, topics: [topic] });
  assert.ok(
    attempts.every((attempt) => attempt === 1),
    `an abort was counted as an attempt: ${attempts.join(" ")}`,
  );
}

async function abortedRetries(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  const ledger = createLedger();
  let failures = 0;
  const failing = await consume(lab, {
    group,
    topics: [topic],
    handle: () => {
      failures++;
      throw new Error("not now");
    },
  });
  await publishNumbered(transport, { topic, keys: 1, perKey: 4 }, [ledger]);
  await lab.until(() => failures >= 2, "a handler to have failed twice");
  await lab.within(
    failing.bus.close({ drainTimeoutMs: lab.timings.stepMs }),
    "a bus that retries to close",
  );
  assert.equal(
    failing.outcomes.ack + failing.outcomes.skipped + failing.outcomes.dead_lettered,
    0,
    "nothing was acknowledged",
  );
  await consume(lab, { group, topics: [topic], ledger });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

async function notBegun(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  const ledger = createLedger();
  await publishNumbered(transport, { topic, keys: 1, perKey: 30 }, [ledger]);
  const gate = createGate();
  let received = 0;
  let begun = 0;
  const handle = (): Promise<void> => {
    begun++;
    return gate.opened;
  };
  const onReceived = (): void => void received++;
  const first = await consume(lab, { group, topics: [topic], ledger, handle, onReceived });
  await lab.until(() => received === 30 && begun === 1, "30 deliveries of which one runs", {
    state: () => `${received} received, ${begun} begun`,
  });
  const closing = first.bus.close({ drainTimeoutMs: lab.timings.stepMs });
  await lab.quiet(10);
  gate.open();
  await lab.within(closing, "a bus with a queue to close");
  assert.equal(begun, 1, `${begun} handlers began although the bus was closing`);
  nothingFailed(first);
  await consume(lab, { group, topics: [topic], ledger });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

function nothingFailed({ retries, outcomes }: Consumer): void {
  const failed = {
    retries,
    nack: outcomes.nack,
    dead_lettered: outcomes.dead_lettered,
    skipped: outcomes.skipped,
  };
  assert.deepEqual(
    failed,
    { retries: 0, nack: 0, dead_lettered: 0, skipped: 0 },
    "an abort was taken for a failure",
  );
}
