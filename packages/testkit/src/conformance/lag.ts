import { strict as assert } from "node:assert";
import { ACK } from "@bus/core";
import type { GroupLag, LagReader, PartitionLag, Settlement } from "@bus/core";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume, consumeThrough } from "./consumer.ts";
import type { Guarantee, GuaranteeTest } from "./guarantee.ts";
import type { Lab, LabProcess } from "./lab.ts";
import { acknowledge, join, keep } from "./member.ts";
import type { Received } from "./member.ts";
import { bytesOf, entryOf, publishNumbered } from "./numbered.ts";

/** Lag tells how far a group is behind, at every stage of its life. */
export const truthfulLag: Guarantee = {
  name: "lag is truthful",
  tests: (
    [
      {
        name: "with nothing committed it is everything for earliest and nothing for latest",
        run: nothingCommitted,
      },
      {
        name: "it counts what is not committed, partition by partition, down to zero",
        run: midWayAndDrained,
      },
      {
        name: "it is read by a process that is not a member, for a group that is gone",
        run: groupThatIsGone,
      },
      {
        name: "a topic that does not exist is unknown, never without lag, and spoils no other",
        run: unknownTopic,
      },
      {
        name: "a partition is old while a message older than asked is unconsumed, and not before or after",
        run: olderThan,
      },
      {
        name: "offsets that hold no message do not keep a drained group behind",
        needs: ["makeGap"],
        run: gaps,
      },
      {
        name: "messages that retention removed are not counted",
        needs: ["removeBefore"],
        run: retention,
      },
      ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
        name: `it falls to zero when ${behaviour} handlers have handled everything, and never below what they have not`,
        run: (lab: Lab) => whileHandling(lab, behaviour),
      })),
    ] satisfies readonly GuaranteeTest[]
  ).map((test: GuaranteeTest) => ({ ...test, needs: ["lag", ...(test.needs ?? [])] })),
};

async function nothingCommitted(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const { transport } = await lab.publisher();
  const readers = {
    earliest: readerOf(await lab.process({ startFrom: "earliest" })),
    latest: readerOf(await lab.process({ startFrom: "latest" })),
  };
  const group = lab.group();
  assert.equal(
    totalOf(await readers.earliest.read({ group, topics: [topic] })),
    0n,
    "an empty topic",
  );
  await publishNumbered(transport, { topic, keys: 10, perKey: 5 });
  const earliest = await readers.earliest.read({ group, topics: [topic] });
  const latest = await readers.latest.read({ group, topics: [topic] });
  assert.equal(totalOf(earliest), 50n, "earliest: everything");
  assert.equal(totalOf(latest), 0n, "latest: nothing");
  assert.deepEqual(
    earliest.partitions.map(({ committed }) => committed),
    [undefined, undefined],
    "nothing is committed",
  );
}

async function midWayAndDrained(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const process = await lab.publisher();
  const react = (received: Received): Settlement | undefined =>
    entryOf(received).sequence < 6 ? ACK : undefined;
  const member = await join(lab, process, { group, topics: [topic], react });
  const messages = Array.from({ length: 20 }, (_, index) => {
    return {
      topic,
      key: null,
      value: bytesOf(String(Math.floor(index / 2))),
      headers: [],
      partition: index % 2,
    };
  });
  await process.transport.publish(messages);
  await lab.until(() => member.received.length === 20, "20 deliveries", {
    state: () => member.received.length,
  });
  const each = (lag: GroupLag): readonly bigint[] =>
    byPartition(lag).map(({ lagMessages }) => lagMessages);
  await lagBecomes(lab, process, { group, topic, wanted: [4n, 4n] });
  await lab.quiet();
  assert.deepEqual(
    each(await readerOf(process).read({ group, topics: [topic] })),
    [4n, 4n],
    "unsettled messages stay lag",
  );
  for (const received of member.received)
    if (!received.settled && received.partition === 0) received.settle(ACK);
  await lagBecomes(lab, process, { group, topic, wanted: [0n, 4n] });
  for (const received of member.received) if (!received.settled) received.settle(ACK);
  await lagBecomes(lab, process, { group, topic, wanted: [0n, 0n] });
  const drained = byPartition(await readerOf(process).read({ group, topics: [topic] }));
  for (const { committed, high, low } of drained) {
    assert.equal(committed, high, "committed is the end");
    assert.ok(low <= high, `low ${low} is behind high ${high}`);
  }
}

async function groupThatIsGone(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 1, perKey: 10 });
  const gone = await consume(lab, { group, topics: [topic] });
  await lab.until(() => gone.handled === 10, "10 handled messages", { state: () => gone.handled });
  await lab.within(gone.bus.close(), "the only member to leave");
  await publishNumbered(transport, { topic, keys: 1, perKey: 7, from: 10 });
  const reader = readerOf(await lab.process());
  assert.equal(
    totalOf(await reader.read({ group, topics: [topic] })),
    7n,
    "what came after the group had gone",
  );
}

async function unknownTopic(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const missing = `${topic}-missing`;
  const process = await lab.publisher();
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 3 });
  const lag = await readerOf(process).read({ group: lab.group(), topics: [topic, missing] });
  assert.ok(
    lag.unknown.some((unknown) => unknown.topic === missing),
    "the missing topic is unknown",
  );
  assert.ok(
    !lag.partitions.some((partition) => partition.topic === missing),
    "the missing topic has no lag",
  );
  assert.equal(totalOf(lag), 3n, "the other topic is not spoilt");
}

async function olderThan(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const process = await lab.publisher();
  const reader = readerOf(process);
  await process.transport.publish([
    { topic, key: null, value: bytesOf("0"), headers: [], partition: 1 },
  ]);
  const old = async (ms: number): Promise<readonly number[]> => {
    const { partitions } = await reader.read({ group, topics: [topic] });
    return (await reader.olderThan(partitions, ms)).map(({ partition }) => partition);
  };
  assert.deepEqual(await old(60_000), [], "nothing is a minute old");
  await lab.until(async () => (await old(50)).length > 0, "the message to be 50 ms old");
  assert.deepEqual(await old(50), [1], "only the partition that has an unconsumed message");
  await join(lab, process, { group, topics: [topic], react: acknowledge });
  await lagBecomes(lab, process, { group, topic, wanted: [0n, 0n] });
  assert.deepEqual(await old(50), [], "a consumed message is not old");
}

async function gaps(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const process = await lab.publisher();
  const member = await join(lab, process, { group, topics: [topic], react: acknowledge });
  const gap = (): Promise<void> | undefined =>
    lab.subject.faults?.makeGap?.({ topic, partition: 0 });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 5 });
  await gap();
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 5, from: 5 });
  await lab.until(() => member.received.length === 10, "10 messages around a gap", {
    state: () => member.received.length,
  });
  const offsets = member.received.map(({ offset }) => offset);
  assert.ok(
    (offsets[5] ?? 0n) - (offsets[4] ?? 0n) > 1n,
    `makeGap made no gap: offsets ${offsets.join(" ")}`,
  );
  await lagBecomes(lab, process, { group, topic, wanted: [0n] });
  await gap();
  await lagBecomes(lab, process, { group, topic, wanted: [0n] });
}

async function retention(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const process = await lab.publisher();
  const first = await join(lab, await lab.process(), { group, topics: [topic], react: keep });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 10 });
  await lab.until(() => first.received.length === 10, "10 deliveries", {
    state: () => first.received.length,
  });
  const offsets = first.received.map(({ offset }) => offset);
  for (const received of first.received.slice(0, 2)) received.settle(ACK);
  await lagBecomes(lab, process, { group, topic, wanted: [8n] });
  await lab.within(first.subscription.close({ drainTimeoutMs: 0 }), "the member to leave");
  await lab.subject.faults?.removeBefore?.({ topic, partition: 0 }, offsets[6] ?? 0n);
  await lagBecomes(lab, process, { group, topic, wanted: [4n] });
  const second = await join(lab, await lab.process(), {
    group,
    topics: [topic],
    react: acknowledge,
  });
  await lab.until(() => second.received.length >= 4, "what retention has left", {
    state: () => second.received.length,
  });
  assert.deepEqual(
    second.received.map(({ offset }) => offset),
    offsets.slice(6),
    "reading goes on at the first message that is left",
  );
  await lagBecomes(lab, process, { group, topic, wanted: [0n] });
}

async function whileHandling(
  lab: Lab,
  behaviour: (typeof TROUBLED_BEHAVIOURS)[number],
): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const process = await lab.publisher();
  await publishNumbered(process.transport, { topic, keys: 6, perKey: 20 }, [ledger]);
  const consuming = consumeThrough(lab, { group, topics: [topic], behaviour, ledger });
  const reader = readerOf(process);
  await lab.until(async () => {
    const lag = totalOf(await reader.read({ group, topics: [topic] }));
    // Counted after the read: what was committed by then had been handled by then.
    assert.ok(
      lag >= BigInt(ledger.outstanding),
      `lag is ${lag}, although ${ledger.outstanding} messages are not handled`,
    );
    return ledger.outstanding === 0;
  }, "everything to be handled");
  await consuming;
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

interface WantedLag {
  readonly group: string;
  readonly topic: string;
  /** By partition. */
  readonly wanted: readonly bigint[];
}

async function lagBecomes(
  lab: Lab,
  process: LabProcess,
  { group, topic, wanted }: WantedLag,
): Promise<void> {
  let last: readonly bigint[] = [];
  const look = async (): Promise<boolean> => {
    last = byPartition(await readerOf(process).read({ group, topics: [topic] })).map(
      ({ lagMessages }) => lagMessages,
    );
    return (
      last.length === wanted.length && last.every((lag, partition) => lag === wanted[partition])
    );
  };
  await lab.until(look, `lag to become ${wanted.join(", ")}`, {
    timeoutMs: lab.timings.stepMs + lab.timings.commitMs,
    state: () => last.join(", "),
  });
}

function readerOf(process: LabProcess): LagReader {
  const reader = process.transport.capabilities.lag;
  assert.ok(reader !== undefined, "capabilities.lag is gone");
  return reader;
}

function byPartition(lag: GroupLag): readonly PartitionLag[] {
  return lag.partitions.toSorted((left, right) => left.partition - right.partition);
}

function totalOf(lag: GroupLag): bigint {
  return lag.partitions.reduce((sum, { lagMessages }) => sum + lagMessages, 0n);
}
