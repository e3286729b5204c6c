import { strict as assert } from "node:assert";
import { ACK, RELEASE } from "@bus/core";
import type { Settlement } from "@bus/core";
import { createLedger } from "../ledger.ts";
import { aborted, createGate } from "./behaviour.ts";
import type { Gate } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume } from "./consumer.ts";
import type { ConsumerOptions } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import type { Member, Received } from "./member.ts";
import { entryOf, publishNumbered, sequenceOf } from "./numbered.ts";

const COUNT = 20;
/** The message that stays behind while everything after it is settled. */
const STUCK = 5;

/** Only the contiguous prefix of settled messages is committed: a message is never lost behind a later one. */
export const contiguousCommit: Guarantee = {
  name: "commit is contiguous",
  tests: [
    {
      name: "while a message is unsettled, nothing at or past it is committed, whatever is settled after it",
      needs: ["lag", "partitionOrder"],
      run: holdsBack,
    },
    {
      name: "a message left unsettled comes again after a restart",
      run: (lab) => comesAgain(lab, undefined),
    },
    {
      name: "a message released at the end comes again after a restart",
      run: (lab) => comesAgain(lab, { kind: "release" }),
    },
    {
      name: "a second settlement of a delivery throws and changes nothing",
      run: settledTwice,
    },
    {
      name: "offsets settled backwards are committed once the first is settled",
      needs: ["lag"],
      run: settledBackwards,
    },
    ...(["failing", "slow", "aborted"] as const).map((kind) => ({
      name: `one ${kind} handler holds the commit back while later messages succeed, and runs again after a restart`,
      run: (lab: Lab) => stuckHandler(lab, kind),
    })),
  ],
};

async function holdsBack(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const member = await joinWithOneStuck(lab, topic, group);
  await committedBehind(lab, member, STUCK - 1);
  await lab.quiet();
  await committedBehind(lab, member, STUCK - 1);
  const state = member.subscription.partitions().find((partition) => partition.topic === topic);
  const stuck = member.received[STUCK];
  assert.equal(
    state?.oldestUnsettled?.offset,
    stuck?.offset,
    "partitions() names the message that holds the commit back",
  );
  stuck?.settle(ACK);
  await committedBehind(lab, member, COUNT - 1);
}

async function comesAgain(lab: Lab, atEnd: Settlement | undefined): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const member = await joinWithOneStuck(lab, topic, group);
  const stuck = member.received[STUCK];
  assert.ok(stuck !== undefined);
  if (atEnd !== undefined) void aborted(stuck.delivery.draining).then(() => stuck.settle(atEnd));
  const report = await lab.within(
    member.subscription.close({ drainTimeoutMs: 20 }),
    "the member to leave",
    {
      timeoutMs: 20 + lab.timings.closeLateMs,
    },
  );
  assert.equal(
    report.abandonedDeliveries,
    atEnd === undefined ? 1 : 0,
    "deliveries that were abandoned",
  );
  const second = await join(lab, await lab.process(), {
    group,
    topics: [topic],
    react: acknowledge,
  });
  const sequences = (): readonly number[] =>
    second.received.map((received) => entryOf(received).sequence);
  await lab.until(() => sequences().includes(STUCK), "the unsettled message to come again", {
    state: sequences,
  });
  await lab.quiet();
  const early = sequences().filter((sequence) => sequence < STUCK);
  assert.deepEqual(early, [], "messages that were committed and came again");
  assert.ok(
    sequences().length <= COUNT - STUCK,
    `messages came more than once: ${sequences().join(" ")}`,
  );
}

async function settledTwice(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const process = await lab.publisher();
  const member = await join(lab, await lab.process(), { group, topics: [topic] });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 3 });
  await lab.until(() => member.received.length === 3, "3 deliveries");
  const [first, second] = member.received.map(({ delivery }) => delivery);
  first?.settle(ACK);
  second?.settle(RELEASE);
  assert.throws(() => first?.settle(RELEASE), "a second settlement is a defect and throws");
  assert.throws(() => second?.settle(ACK), "a second settlement is a defect and throws");
  await lab.within(member.subscription.close({ drainTimeoutMs: 0 }), "the member to leave");
  const next = await join(lab, process, { group, topics: [topic], react: acknowledge });
  await lab.until(() => next.received.length >= 2, "what was not acknowledged to come again");
  await lab.quiet();
  const sequences = next.received.map((received) => entryOf(received).sequence);
  assert.deepEqual(
    sequences.toSorted((left, right) => left - right),
    [1, 2],
    "the first settlement counts",
  );
}

async function settledBackwards(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const process = await lab.publisher();
  const member = await join(lab, process, { group, topics: [topic] });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: COUNT });
  await lab.until(() => member.received.length === COUNT, `${COUNT} deliveries`, {
    state: () => member.received.length,
  });
  for (const received of member.received.slice(1).toReversed()) received.settle(ACK);
  await lab.quiet();
  const first = member.received[0];
  const before = await committed(lab, member);
  assert.ok(
    before === undefined || before <= (first?.offset ?? 0n),
    `${before} is committed although the first message is unsettled`,
  );
  first?.settle(ACK);
  await committedBehind(lab, member, COUNT - 1);
}

async function stuckHandler(lab: Lab, kind: Stuck): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 1, perKey: COUNT }, [ledger]);
  const subscribe = { ordering: "none", concurrency: COUNT } as const;
  const gate = createGate();
  const first = await consume(lab, {
    group,
    topics: [topic],
    ledger,
    subscribe,
    handle: stuckAt(kind, gate),
  });
  await lab.until(() => first.handled === COUNT - 1, "every other message to be handled", {
    state: () => first.handled,
  });
  await lab.within(first.bus.close({ drainTimeoutMs: 20 }), "a bus with a stuck handler to close", {
    timeoutMs: 20 + lab.timings.closeLateMs,
  });
  gate.open();
  const again = new Set<number>();
  await consume(lab, {
    group,
    topics: [topic],
    ledger,
    handle: (message) => void again.add(sequenceOf(message)),
  });
  await lab.until(() => again.has(STUCK), "the stuck message to run again", {
    state: () => [...again],
  });
  // What succeeded at or behind the stuck message is repeated at worst.
  await closeBooks(lab, ledger, {
    group,
    topics: [topic],
    order: "free",
    maxDuplicates: COUNT - STUCK,
  });
}

type Stuck = "failing" | "slow" | "aborted";

function stuckAt(kind: Stuck, gate: Gate): NonNullable<ConsumerOptions["handle"]> {
  return async (message, context) => {
    if (sequenceOf(message) !== STUCK) return;
    if (kind === "failing") throw new Error("this one never works here");
    // A slow handler notices nothing and ends after its message was given back.
    if (kind === "slow") return gate.opened;
    await aborted(context.signal);
    throw context.signal.reason;
  };
}

async function joinWithOneStuck(lab: Lab, topic: string, group: string): Promise<Member> {
  const { transport } = await lab.publisher();
  const react = (received: Received): Settlement | undefined =>
    entryOf(received).sequence === STUCK ? undefined : ACK;
  const member = await join(lab, await lab.process(), { group, topics: [topic], react });
  await publishNumbered(transport, { topic, keys: 1, perKey: COUNT });
  await lab.until(() => member.received.length === COUNT, `${COUNT} deliveries`, {
    state: () => member.received.length,
  });
  return member;
}

/** Wait until exactly the messages up to the `last` received one are committed; fails at once when more are. */
async function committedBehind(lab: Lab, member: Member, last: number): Promise<void> {
  const offset = member.received[last]?.offset ?? -1n;
  const next = member.received[last + 1]?.offset;
  let seen: bigint | undefined;
  const look = async (): Promise<boolean> => {
    seen = await committed(lab, member);
    const past = next !== undefined && seen !== undefined && seen > next;
    assert.ok(!past, `${seen} is committed, although the message at ${next} is unsettled`);
    return seen !== undefined && seen > offset;
  };
  await lab.until(look, `the messages up to offset ${offset} to be committed`, {
    timeoutMs: lab.timings.stepMs + lab.timings.commitMs,
    state: () => `${seen} is committed`,
  });
}

async function committed(lab: Lab, member: Member): Promise<bigint | undefined> {
  const { transport } = await lab.publisher();
  const { group, topics } = member.request;
  const lag = await transport.capabilities.lag?.read({
    group,
    topics: topics.map(({ topic }) => topic),
  });
  return lag?.partitions[0]?.committed;
}
