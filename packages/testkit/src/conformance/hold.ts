import { strict as assert } from "node:assert";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { Consumer } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import { entryOf, publishNumbered } from "./numbered.ts";

/** A topic without a handler is assigned, unread and uncommitted, never skipped. */
export const hold: Guarantee = {
  name: "hold a topic without handler",
  tests: [
    {
      name: "a held topic is owned and neither delivered nor committed, and comes complete and in order once released",
      run: heldThenReleased,
    },
    { name: "a topic that is held again while it works loses and repeats nothing", run: heldAgain },
    {
      name: "a member that leaves while it holds a topic leaves every message to the next",
      run: leaveWhileHolding,
    },
    {
      name: "held partitions move at once to a member that joins with a handler",
      needs: ["partitionOrder"],
      run: joinWhileHolding,
    },
    ...TROUBLED_BEHAVIOURS.filter((behaviour) => behaviour !== "aborted").map((behaviour) => ({
      name: `a handler that is taken away while ${behaviour} runs are under way, and given back, handles everything`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(2);
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        const consumer = new Consumer(lab, { group, topics: [topic], behaviour, ledger });
        await consumer.start();
        await publishNumbered(transport, { topic, keys: 6, perKey: 10 }, [ledger]);
        await lab.until(() => consumer.handled > 5, "handlers to be at work", {
          state: () => consumer.handled,
        });
        await lab.within(
          consumer.unsubscribe(topic, { hold: true }),
          "the handler to be taken away",
        );
        const before = consumer.handled;
        await publishNumbered(transport, { topic, keys: 6, perKey: 5, from: 10 }, [ledger]);
        await lab.quiet();
        assert.equal(consumer.handled, before, "a held topic is not handled");
        await lab.within(consumer.subscribe(topic), "the handler to be given back");
        await closeBooks(lab, ledger, { group, topics: [topic] });
      },
    })),
  ],
};

async function heldThenReleased(lab: Lab): Promise<void> {
  const [active, held] = [await lab.topic(), await lab.topic()] as const;
  const group = lab.group();
  const process = await lab.publisher();
  const { transport } = process;
  const topics = [{ topic: active }, { topic: held, held: true }];
  const member = await join(lab, process, { group, topics, react: acknowledge });
  for (const topic of [active, held])
    await publishNumbered(transport, { topic, keys: 1, perKey: 20 });
  const countOf = (topic: string): number =>
    member.received.filter((received) => received.topic === topic).length;
  await lab.until(() => countOf(active) === 20, "the active topic to be received", {
    state: () => countOf(active),
  });
  await lab.quiet();
  assert.equal(countOf(held), 0, "a held topic is not delivered");
  const state = member.subscription.partitions().find(({ topic }) => topic === held);
  assert.ok(
    state?.pausedBy.includes("held"),
    `partitions() shows the held topic as ${JSON.stringify(state?.pausedBy)}`,
  );
  const lag = await transport.capabilities.lag?.read({ group, topics: [held] });
  if (lag !== undefined)
    assert.equal(lag.partitions[0]?.lagMessages, 20n, "a held topic is not committed");
  await lab.within(
    member.subscription.update([{ topic: active }, { topic: held }]),
    "the held topic to be released",
  );
  await lab.until(() => countOf(held) === 20, "the released topic to be received", {
    state: () => countOf(held),
  });
  const sequences = member.received
    .filter(({ topic }) => topic === held)
    .map((received) => entryOf(received).sequence);
  assert.deepEqual(
    sequences,
    Array.from({ length: 20 }, (_, index) => index),
    "from its first message, in order",
  );
}

async function heldAgain(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const process = await lab.publisher();
  const { transport } = process;
  const member = await join(lab, process, {
    group: lab.group(),
    topics: [topic],
    react: acknowledge,
  });
  const arrived = (count: number): Promise<void> =>
    lab.until(() => member.received.length >= count, `${count} messages`, {
      state: () => member.received.length,
    });
  await publishNumbered(transport, { topic, keys: 1, perKey: 10 });
  await arrived(10);
  await lab.within(member.subscription.update([{ topic, held: true }]), "the topic to be held");
  await publishNumbered(transport, { topic, keys: 1, perKey: 10, from: 10 });
  await lab.quiet();
  assert.equal(member.received.length, 10, "a topic that is held again is not delivered");
  await lab.within(member.subscription.update([{ topic }]), "the topic to be released");
  await arrived(20);
  await lab.quiet();
  const sequences = member.received.map((received) => entryOf(received).sequence);
  assert.deepEqual(
    sequences,
    Array.from({ length: 20 }, (_, index) => index),
    "each message once, in order",
  );
}

async function leaveWhileHolding(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  const holding = await join(lab, await lab.process(), { group, topics: [{ topic, held: true }] });
  await publishNumbered(transport, { topic, keys: 1, perKey: 10 });
  await lab.quiet();
  await lab.within(
    holding.subscription.close({ drainTimeoutMs: 1_000 }),
    "a member that holds a topic to leave",
  );
  const next = await join(lab, await lab.process(), { group, topics: [topic], react: acknowledge });
  await lab.until(() => next.received.length >= 10, "every message at the next member", {
    state: () => next.received.length,
  });
  assert.equal(
    holding.received.length,
    0,
    "nothing was delivered to the member that held the topic",
  );
}

async function joinWhileHolding(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const { transport } = await lab.publisher();
  const holding = await join(lab, await lab.process(), { group, topics: [{ topic, held: true }] });
  await publishNumbered(transport, { topic, keys: 20, perKey: 2 });
  const working = await join(lab, await lab.process(), {
    group,
    topics: [topic],
    react: acknowledge,
  });
  await lab.until(() => working.received.length > 0, "messages of a partition that moved", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
  const left = holding.subscription.partitions();
  assert.equal(left.length, 1, "one partition stays with the member that holds");
  assert.deepEqual(left[0]?.pausedBy, ["held"], "and stays held");
  assert.equal(holding.received.length, 0, "nothing was delivered to the member that holds");
}
