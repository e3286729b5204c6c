import { strict as assert } from "node:assert";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume, consumeThrough } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join, keep } from "./member.ts";
import { publishNumbered } from "./numbered.ts";

/** Every group receives everything; within a group every message goes to one member. */
export const groupIsolation: Guarantee = {
  name: "group isolation and fan-out",
  tests: [
    {
      name: "two groups receive every message, each once, and settle for themselves",
      run: twoGroups,
    },
    { name: "two members of a group share its messages and repeat none", run: twoMembers },
    { name: "one member receives all topics of its group", run: severalTopics },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `${behaviour} handlers of one group do not hold up another group`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(2);
        const [troubled, healthy] = [lab.group(), lab.group()];
        const ledgers = [createLedger(), createLedger()] as const;
        const { transport } = await lab.publisher();
        await publishNumbered(transport, { topic, keys: 8, perKey: 20 }, ledgers);
        const troubles = consumeThrough(lab, {
          group: troubled,
          topics: [topic],
          behaviour,
          ledger: ledgers[0],
        });
        await consume(lab, { group: healthy, topics: [topic], ledger: ledgers[1] });
        await closeBooks(lab, ledgers[1], { group: healthy, topics: [topic] });
        await troubles;
        await closeBooks(lab, ledgers[0], { group: troubled, topics: [topic] });
      },
    })),
  ],
};

async function twoGroups(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const process = await lab.publisher();
  const settling = await join(lab, process, {
    group: lab.group(),
    topics: [topic],
    react: acknowledge,
  });
  const holding = await join(lab, process, { group: lab.group(), topics: [topic], react: keep });
  await publishNumbered(process.transport, { topic, keys: 10, perKey: 10 });
  for (const [what, member] of Object.entries({ settling, holding })) {
    await lab.until(() => member.received.length >= 100, `100 messages in the ${what} group`, {
      state: () => member.received.length,
    });
  }
  await lab.quiet();
  assert.equal(settling.received.length, 100, "the settling group receives each message once");
  assert.equal(holding.received.length, 100, "the holding group receives each message once");
}

async function twoMembers(lab: Lab): Promise<void> {
  const topic = await lab.topic(4);
  const group = lab.group();
  const ledger = createLedger();
  const first = await consume(lab, { group, topics: [topic], ledger });
  const second = await consume(lab, { group, topics: [topic], ledger });
  const owned = (consumer: typeof first): number =>
    consumer.bus.inspect().groups[0]?.partitions.length ?? 0;
  await lab.until(
    () => owned(first) > 0 && owned(second) > 0 && owned(first) + owned(second) === 4,
    "4 partitions to be shared",
    {
      timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
      state: () => `${owned(first)} and ${owned(second)}`,
    },
  );
  const settledAt = first.rebalances + second.rebalances;
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 40, perKey: 10 }, [ledger]);
  await closeBooks(lab, ledger, { group, topics: [topic] });
  const rebalances = first.rebalances + second.rebalances - settledAt;
  assert.equal(rebalances, 0, "a group whose members stay does not rebalance");
  assert.ok(
    first.handled > 0 && second.handled > 0,
    `one member handled ${first.handled}, the other ${second.handled}`,
  );
}

async function severalTopics(lab: Lab): Promise<void> {
  const topics = await Promise.all(Array.from({ length: 5 }, () => lab.topic(2)));
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  for (const topic of topics)
    await publishNumbered(transport, { topic, keys: 5, perKey: 4 }, [ledger]);
  await consume(lab, { group, topics, ledger });
  for (const topic of topics)
    await publishNumbered(transport, { topic, keys: 5, perKey: 4, from: 4 }, [ledger]);
  await closeBooks(lab, ledger, { group, topics });
}
