import { strict as assert } from "node:assert";
import { BusError } from "@bus/core";
import { createLedger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consumeThrough } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import type { Member } from "./member.ts";
import { entryOf, publishNumbered } from "./numbered.ts";

/** A group begins where it was told to, and goes on where it has committed. */
export const startPositions: Guarantee = {
  name: "start positions",
  tests: [
    {
      name: "earliest begins with the first message, latest with the next one",
      run: earliestAndLatest,
    },
    { name: "each topic of a member may begin elsewhere", run: perTopic },
    { name: "none with nothing committed is BUS_NO_OFFSET and consumes nothing", run: none },
    { name: "a committed offset wins over every start position", run: committedWins },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `a group that began at latest goes on where ${behaviour} handlers left it`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic();
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        await publishNumbered(transport, { topic: topic, keys: 2, perKey: 5 });
        const probe = await join(lab, await lab.process(), {
          group,
          topics: [{ topic, startFrom: "latest" }],
          react: acknowledge,
        });
        await publishNumbered(transport, { topic, keys: 1, perKey: 3 });
        await lab.until(() => probe.received.length === 3, "3 messages from the end on", {
          state: () => probe.received.length,
        });
        await lab.within(
          probe.subscription.close({ drainTimeoutMs: 1_000 }),
          "the first member to leave",
        );
        const fresh = { topic, keys: 5, perKey: 6 };
        await publishNumbered(transport, fresh, [ledger]);
        await consumeThrough(lab, {
          group,
          topics: [topic],
          behaviour,
          ledger,
          subscribe: { startFrom: "latest" },
        });
        await closeBooks(lab, ledger, { group, topics: [topic] });
      },
    })),
  ],
};

async function earliestAndLatest(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const process = await lab.publisher();
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 10 });
  const earliest = await join(lab, await lab.process(), {
    group: lab.group(),
    topics: [{ topic, startFrom: "earliest" }],
    react: acknowledge,
  });
  const latest = await join(lab, process, {
    group: lab.group(),
    topics: [{ topic, startFrom: "latest" }],
    react: acknowledge,
  });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 5, from: 10 });
  await has(lab, earliest, [0, 15]);
  await has(lab, latest, [10, 15]);
}

async function perTopic(lab: Lab): Promise<void> {
  const [old, fresh] = [await lab.topic(), await lab.topic()] as const;
  const process = await lab.publisher();
  for (const topic of [old, fresh])
    await publishNumbered(process.transport, { topic, keys: 1, perKey: 4 });
  const topics = [
    { topic: old, startFrom: "earliest" },
    { topic: fresh, startFrom: "latest" },
  ] as const;
  const member = await join(lab, process, { group: lab.group(), topics, react: acknowledge });
  for (const topic of [old, fresh])
    await publishNumbered(process.transport, { topic, keys: 1, perKey: 2, from: 4 });
  await lab.until(() => member.received.length >= 8, "8 messages", {
    state: () => member.received.length,
  });
  await lab.quiet();
  const of = (topic: string): readonly number[] =>
    member.received
      .filter((received) => received.topic === topic)
      .map((received) => entryOf(received).sequence);
  assert.deepEqual(
    [of(old), of(fresh)],
    [
      [0, 1, 2, 3, 4, 5],
      [4, 5],
    ],
  );
}

async function none(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 1, perKey: 3 });
  let delivered = 0;
  const joining = (await lab.process()).transport.subscribe(
    { group, topics: [{ topic, startFrom: "none" }] },
    () => delivered++,
  );
  await assert.rejects(
    lab.within(joining, "subscribe to be refused"),
    (error: unknown) => BusError.is(error, "BUS_NO_OFFSET"),
    "subscribe without a committed offset is refused with BUS_NO_OFFSET",
  );
  await lab.quiet();
  assert.equal(delivered, 0, "nothing is consumed");
  await has(
    lab,
    await join(lab, await lab.process(), {
      group,
      topics: [{ topic, startFrom: "earliest" }],
      react: acknowledge,
    }),
    [0, 3],
  );
}

async function committedWins(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 1, perKey: 4 });
  for (const [round, startFrom] of (
    ["earliest", "latest", "none", "earliest"] as const
  ).entries()) {
    const member = await join(lab, await lab.process(), {
      group,
      topics: [{ topic, startFrom }],
      react: acknowledge,
    });
    await has(lab, member, [round * 4, round * 4 + 4]);
    await lab.within(member.subscription.close({ drainTimeoutMs: 1_000 }), "the member to leave");
    await publishNumbered(transport, { topic, keys: 1, perKey: 4, from: round * 4 + 4 });
  }
}

/** The member gets exactly the messages numbered `from` to `to − 1`. */
async function has(
  lab: Lab,
  member: Member,
  [from, to]: readonly [from: number, to: number],
): Promise<void> {
  const sequences = (): readonly number[] =>
    member.received.map((received) => entryOf(received).sequence);
  await lab.until(() => sequences().length >= to - from, `messages ${from} to ${to - 1}`, {
    state: sequences,
  });
  await lab.quiet();
  assert.deepEqual(
    sequences().toSorted((left, right) => left - right),
    Array.from({ length: to - from }, (_, index) => from + index),
  );
}
