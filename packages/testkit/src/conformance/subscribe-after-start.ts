import { strict as assert } from "node:assert";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume, consumeThrough } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import type { Member } from "./member.ts";
import { publishNumbered } from "./numbered.ts";

/** Topics may be added and removed while a member works. */
export const subscribeAfterStart: Guarantee = {
  name: "subscribe after start",
  tests: [
    {
      name: "a topic added later is received from its beginning, and the first topic goes on",
      run: added,
    },
    {
      name: "a removed topic is delivered no more, and continues where it was when it is added again",
      run: removedAndAdded,
    },
    { name: "topics added at the same time are all received", run: addedTogether },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `a topic added while ${behaviour} handlers run loses nothing of either topic`,
      run: async (lab: Lab): Promise<void> => {
        const topics = [await lab.topic(2), await lab.topic(2)] as const;
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        for (const topic of topics)
          await publishNumbered(transport, { topic, keys: 6, perKey: 15 }, [ledger]);
        const consumer = await consumeThrough(lab, {
          group,
          topics: [topics[0]],
          behaviour,
          ledger,
        });
        await lab.until(() => consumer.handled > 5, "the first topic to be at work", {
          state: () => consumer.handled,
        });
        await lab.within(consumer.subscribe(topics[1]), "a topic to be added");
        await publishNumbered(transport, { topic: topics[0], keys: 6, perKey: 5, from: 15 }, [
          ledger,
        ]);
        // A membership change may move partitions away and back: one message of each may be at work.
        await closeBooks(lab, ledger, { group, topics, maxDuplicates: 4 });
        lab.figures["duplicates"] = ledger.duplicates;
      },
    })),
  ],
};

async function added(lab: Lab): Promise<void> {
  const topics = [await lab.topic(2), await lab.topic(2)] as const;
  const process = await lab.publisher();
  const { transport } = process;
  for (const topic of topics) await publishNumbered(transport, { topic, keys: 4, perKey: 5 });
  const member = await join(lab, process, {
    group: lab.group(),
    topics: [topics[0]],
    react: acknowledge,
  });
  await receivedOf(lab, member, { topic: topics[0], count: 20 });
  await lab.within(
    member.subscription.update(topics.map((topic) => ({ topic }))),
    "update to add a topic",
  );
  await receivedOf(lab, member, { topic: topics[1], count: 20 });
  for (const topic of topics)
    await publishNumbered(transport, { topic, keys: 4, perKey: 5, from: 5 });
  for (const topic of topics) await receivedOf(lab, member, { topic, count: 40 });
  await lab.quiet();
  lab.figures["duplicates"] = member.received.length - 80;
  assert.equal(
    member.received.length,
    80,
    "settled messages do not come again when a topic is added",
  );
}

async function removedAndAdded(lab: Lab): Promise<void> {
  const topics = [await lab.topic(), await lab.topic()] as const;
  const process = await lab.publisher();
  const { transport } = process;
  const member = await join(lab, process, { group: lab.group(), topics, react: acknowledge });
  for (const topic of topics) await publishNumbered(transport, { topic, keys: 1, perKey: 10 });
  for (const topic of topics) await receivedOf(lab, member, { topic, count: 10 });
  await lab.within(member.subscription.update([{ topic: topics[0] }]), "update to remove a topic");
  const owned = new Set(member.subscription.partitions().map(({ topic }) => topic));
  assert.deepEqual([...owned], [topics[0]], "only the remaining topic is owned");
  for (const topic of topics)
    await publishNumbered(transport, { topic, keys: 1, perKey: 10, from: 10 });
  await receivedOf(lab, member, { topic: topics[0], count: 20 });
  await lab.quiet();
  assert.equal(countOf(member, topics[1]), 10, "a removed topic is delivered no more");
  await lab.within(
    member.subscription.update(topics.map((topic) => ({ topic }))),
    "update to add the topic again",
  );
  await receivedOf(lab, member, { topic: topics[1], count: 20 });
  await lab.quiet();
  assert.equal(
    member.received.length,
    40,
    "nothing comes twice: the removed topic was committed when it was drained",
  );
}

async function addedTogether(lab: Lab): Promise<void> {
  const topics = await Promise.all(Array.from({ length: 4 }, () => lab.topic()));
  const [first = "", ...later] = topics;
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  for (const topic of topics)
    await publishNumbered(transport, { topic, keys: 2, perKey: 5 }, [ledger]);
  const consumer = await consume(lab, { group, topics: [first], ledger });
  const before = consumer.rebalances;
  await lab.within(
    Promise.all(later.map((topic) => consumer.subscribe(topic))),
    "three topics to be added at once",
  );
  await closeBooks(lab, ledger, { group, topics, maxDuplicates: topics.length });
  lab.figures["duplicates"] = ledger.duplicates;
  const rebalances = consumer.rebalances - before;
  assert.ok(rebalances <= 1, `topics added at the same time cost ${rebalances} membership changes`);
}

function countOf(member: Member, topic: string): number {
  return member.received.filter((received) => received.topic === topic).length;
}

async function receivedOf(
  lab: Lab,
  member: Member,
  wanted: { readonly topic: string; readonly count: number },
): Promise<void> {
  const { topic, count } = wanted;
  await lab.until(() => countOf(member, topic) >= count, `${count} messages of ${topic}`, {
    state: () => countOf(member, topic),
  });
}
