import { strict as assert } from "node:assert";
import { systemClock, wait } from "@bus/core/adapter";
import { createLedger } from "../ledger.ts";
import { closeBooks } from "./books.ts";
import type { Behaviour } from "./behaviour.ts";
import { consumeThrough } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { join, keep } from "./member.ts";
import type { Received } from "./member.ts";
import { publishNumbered } from "./numbered.ts";

const BEHAVIOURS: readonly Behaviour[] = ["prompt", "slow", "failing", "aborted"];

/** Messages of a partition come in the order in which they were stored. */
export const partitionOrder: Guarantee = {
  name: "partition order",
  tests: [
    {
      name: "deliveries of a partition come in offset order, the next without waiting for the last to settle",
      needs: ["partitionOrder"],
      run: offsetOrder,
    },
    {
      name: "deliveries keep their order when they are settled in another one",
      needs: ["partitionOrder"],
      run: settledInAnotherOrder,
    },
    ...BEHAVIOURS.map((behaviour) => ({
      name: `${behaviour} handlers of a partition run one at a time, in order`,
      needs: ["partitionOrder"] as const,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(3);
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        await publishNumbered(transport, { topic, keys: 12, perKey: 10 }, [ledger]);
        const busy = new Set<number>();
        const handle = async ({ partition }: { readonly partition: number }): Promise<void> => {
          assert.ok(!busy.has(partition), `two handlers of partition ${partition} ran at once`);
          busy.add(partition);
          await wait(systemClock, 1);
          busy.delete(partition);
        };
        await consumeThrough(lab, { group, topics: [topic], behaviour, ledger, handle });
        await publishNumbered(transport, { topic, keys: 12, perKey: 5, from: 10 }, [ledger]);
        await closeBooks(lab, ledger, { group, topics: [topic] });
      },
    })),
  ],
};

async function offsetOrder(lab: Lab): Promise<void> {
  const topic = await lab.topic(3);
  const process = await lab.publisher();
  const member = await join(lab, process, { group: lab.group(), topics: [topic], react: keep });
  await publishNumbered(process.transport, { topic, keys: 30, perKey: 20 });
  await lab.until(() => member.received.length >= 600, "600 deliveries, none of them settled", {
    state: () => member.received.length,
  });
  assertAscending(member.received);
}

async function settledInAnotherOrder(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const process = await lab.publisher();
  const group = lab.group();
  const unsettled: Received[] = [];
  const member = await join(lab, process, {
    group,
    topics: [topic],
    react: (received) => {
      unsettled.push(received);
      if (unsettled.length >= 7)
        for (const one of unsettled.splice(0).toReversed()) one.settle({ kind: "ack" });
      return undefined;
    },
  });
  for (let round = 0; round < 10; round++) {
    await publishNumbered(process.transport, { topic, keys: 10, perKey: 5, from: round * 5 });
  }
  await lab.until(() => member.received.length >= 500, "500 deliveries", {
    state: () => member.received.length,
  });
  for (const one of unsettled.splice(0)) one.settle({ kind: "ack" });
  assertAscending(member.received);
  await lab.quiet();
  assert.equal(member.received.length, 500, "every message is delivered once");
}

function assertAscending(received: readonly Received[]): void {
  const last = new Map<number, bigint>();
  for (const { partition, offset } of received) {
    const previous = last.get(partition) ?? -1n;
    assert.ok(
      offset > previous,
      `partition ${partition}: offset ${offset} was delivered after ${previous}`,
    );
    last.set(partition, offset);
  }
}
