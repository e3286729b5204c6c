import { strict as assert } from "node:assert";
import { ACK, RELEASE } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { createLedger } from "../ledger.ts";
import { aborted } from "./behaviour.ts";
import type { Behaviour } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume } from "./consumer.ts";
import type { Consumer } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join, keep } from "./member.ts";
import type { Received } from "./member.ts";
import { startPublishing } from "./steady-publisher.ts";
import { entryOf, publishNumbered } from "./numbered.ts";

const PARTITIONS = 6;
const MAX_IN_FLIGHT = 60;

/** Partitions may move while handlers run: nothing is lost, little is repeated, no two owners work at once. */
export const rebalance: Guarantee = {
  name: "rebalance while handlers run",
  tests: [
    ...(["slow", "failing"] as const).map((behaviour) => ({
      name: `members with ${behaviour} handlers join and leave: nothing lost, little repeated, never two owners at work`,
      needs: ["partitionOrder"] as const,
      run: (lab: Lab) => joinAndLeave(lab, behaviour),
    })),
    ...(["slow", "failing"] as const).map((behaviour) => ({
      name: `a member with ${behaviour} handlers is killed: nothing lost, little repeated, order kept`,
      needs: ["partitionOrder", "crash"] as const,
      run: (lab: Lab) => killOne(lab, behaviour),
    })),
    {
      name: "aborted handlers of a partition that moves have ended before the new owner's begin",
      needs: ["partitionOrder"],
      run: abortedByRebalance,
    },
    {
      name: "a delivery drains first, is aborted after the drain budget, and only then comes to the new owner",
      needs: ["partitionOrder"],
      run: drainThenAbort,
    },
    {
      name: "what is settled while its partition drains is committed before the new owner begins",
      needs: ["partitionOrder"],
      run: settledWhileDraining,
    },
    {
      name: "settlements after ownership was lost are accepted, ignored and not committed",
      needs: ["revoke"],
      run: lateSettlements,
    },
  ],
};

async function joinAndLeave(lab: Lab, behaviour: Behaviour): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const options = {
    group: lab.group(),
    topics: [topic],
    behaviour,
    ledger: createLedger(),
    overrides: { maxInFlightMessages: MAX_IN_FLIGHT },
  };
  const publisher = startPublishing(lab, { topic, keys: 24, ledgers: [options.ledger] });
  const first = await consume(lab, options);
  await progress(lab, first, 40);
  const second = await consume(lab, options);
  await progress(lab, second, 20);
  const third = await consume(lab, options);
  await progress(lab, third, 20);
  await close(lab, first);
  await progress(lab, second, 20);
  await close(lab, third);
  await progress(lab, second, 20);
  await publisher.stop();
  await closeBooks(lab, options.ledger, { ...options, maxDuplicates: PARTITIONS * 2 });
  lab.figures["duplicates"] = options.ledger.duplicates;
}

async function killOne(lab: Lab, behaviour: Behaviour): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const options = {
    group: lab.group(),
    topics: [topic],
    behaviour,
    ledger: createLedger(),
    overrides: { maxInFlightMessages: MAX_IN_FLIGHT },
  };
  const publisher = startPublishing(lab, { topic, keys: 24, ledgers: [options.ledger] });
  const survivor = await consume(lab, options);
  const doomed = await consume(lab, options);
  await progress(lab, survivor, 20);
  await progress(lab, doomed, 40);
  const lately = doomed.handledSince(systemClock.monotonicMs() - lab.timings.commitMs);
  await doomed.kill();
  await progress(lab, survivor, 20);
  await publisher.stop();
  const timeoutMs = lab.timings.stepMs + lab.timings.takeoverMs;
  // What the dead member had handled within one commit interval, and what was moving in the rebalances around it.
  await closeBooks(lab, options.ledger, {
    ...options,
    timeoutMs,
    maxDuplicates: lately + PARTITIONS * 3,
  });
  lab.figures["duplicates"] = options.ledger.duplicates;
}

async function abortedByRebalance(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 8, perKey: 3 }, [ledger]);
  const stuck = await consume(lab, { group, topics: [topic], ledger, behaviour: "aborted" });
  await lab.until(() => stuck.running === 2, "a stuck handler in each partition", {
    state: () => stuck.running,
  });
  const healthy = await consume(lab, { group, topics: [topic], ledger });
  await lab.until(() => healthy.handled > 0, "the new owner to handle", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
  await lab.within(stuck.bus.close({ drainTimeoutMs: 20 }), "a bus with stuck handlers to close", {
    timeoutMs: 20 + lab.timings.closeLateMs,
  });
  await closeBooks(lab, ledger, {
    group,
    topics: [topic],
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
}

async function drainThenAbort(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const { transport } = await lab.publisher();
  const losing = await join(lab, await lab.process(), { group, topics: [topic], react: keep });
  await transport.publish(
    [0, 1].map((partition) => ({
      topic,
      key: null,
      value: new Uint8Array(1),
      headers: [],
      partition,
    })),
  );
  await lab.until(() => losing.received.length === 2, "one unsettled delivery in each partition");
  const drainedAtMs = new Map<number, number>();
  const abortedAtMs = new Map<number, number>();
  for (const { partition, delivery } of losing.received) {
    void aborted(delivery.draining).then(() =>
      drainedAtMs.set(partition, systemClock.monotonicMs()),
    );
    void aborted(delivery.signal).then(() => abortedAtMs.set(partition, systemClock.monotonicMs()));
  }
  const gaining = await join(lab, await lab.process(), {
    group,
    topics: [topic],
    react: acknowledge,
  });
  const timeoutMs = lab.timings.stepMs + lab.timings.takeoverMs;
  const moved = (): Received | undefined => gaining.received[0];
  await lab.until(() => moved() !== undefined, "a partition to move to the new member", {
    timeoutMs,
  });
  const { partition, atMs, attempt } = moved() ?? { partition: -1, atMs: 0, attempt: 0 };
  const [drained, stopped] = [drainedAtMs.get(partition), abortedAtMs.get(partition)];
  assert.ok(
    drained !== undefined && stopped !== undefined,
    `partition ${partition} moved without draining and aborting its delivery`,
  );
  assert.ok(
    drained <= stopped && stopped <= atMs,
    `drained at ${drained}, aborted at ${stopped}, delivered elsewhere at ${atMs}`,
  );
  assert.equal(attempt, 1, "a message that moved with its partition is not a failed attempt");
}

async function settledWhileDraining(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const { transport } = await lab.publisher();
  const losing = await join(lab, await lab.process(), { group, topics: [topic], react: keep });
  await publishNumbered(transport, { topic, keys: 20, perKey: 5 });
  await lab.until(() => losing.received.length === 100, "100 unsettled deliveries", {
    state: () => losing.received.length,
  });
  for (const received of losing.received) {
    void aborted(received.delivery.draining).then(() => received.settle(ACK));
  }
  const joining = await lab.process();
  const gaining = await join(lab, joining, { group, topics: [topic], react: acknowledge });
  const owned = (): number => gaining.subscription.partitions().length;
  const timeoutMs = lab.timings.stepMs + lab.timings.takeoverMs;
  await lab.until(() => owned() === 1, "a partition to move", { timeoutMs, state: owned });
  await publishNumbered(transport, { topic, keys: 20, perKey: 1, from: 5 });
  await lab.until(() => gaining.received.length > 0, "the new owner to receive");
  await lab.quiet();
  const repeated = gaining.received.filter((received) => entryOf(received).sequence < 5);
  assert.deepEqual(
    repeated.map(entryOf),
    [],
    "settled before the partition moved, and delivered again",
  );
}

async function lateSettlements(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  const losing = await lab.process();
  const first = await join(lab, losing, { group, topics: [topic], react: keep });
  await publishNumbered(transport, { topic, keys: 1, perKey: 10 });
  await lab.until(() => first.received.length === 10, "10 unsettled deliveries", {
    state: () => first.received.length,
  });
  const before = [...first.received];
  await lab.subject.faults?.revoke?.(losing.configured, group);
  const all = (): boolean =>
    before.every(({ delivery }) => delivery.draining.aborted && delivery.signal.aborted);
  await lab.until(all, "draining and signal to abort", { timeoutMs: lab.timings.takeoverMs });
  for (const [index, received] of before.entries())
    received.settle(index % 2 === 0 ? ACK : RELEASE);
  await lab.until(
    () => first.received.length >= 20,
    "everything to come again to whoever owns the partition",
    {
      timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
      state: () => first.received.length,
    },
  );
  assert.equal(first.received.length, 20, "each message comes again once");
}

/** A consumer that handles so many more messages is at work. */
async function progress(lab: Lab, consumer: Consumer, more: number): Promise<void> {
  const wanted = consumer.handled + more;
  await lab.until(() => consumer.handled >= wanted, `a member to handle ${more} more messages`, {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
    state: () => `${consumer.handled} of ${wanted}`,
  });
}

async function close(lab: Lab, consumer: Consumer): Promise<void> {
  const report = await lab.within(
    consumer.bus.close({ drainTimeoutMs: lab.timings.stepMs }),
    "a member to leave",
  );
  assert.equal(report.abandonedDeliveries, 0, "handlers that end in time are not abandoned");
}
