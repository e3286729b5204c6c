import { strict as assert } from "node:assert";
import { systemClock, wait } from "@bus/core/adapter";
import { closeBooks } from "../conformance/books.ts";
import type { Guarantee } from "../conformance/guarantee.ts";
import type { Lab } from "../conformance/lab.ts";
import { publishNumbered } from "../conformance/numbered.ts";
import { createLedger } from "../ledger.ts";
import { consumeInOrder } from "./ordered-consumer.ts";
import type { OrderingSubject } from "./ordering-subject.ts";

const FLIPS = 100;
const KEYS = 20;
const PARTITIONS = 4;

/** The mode follows the backlog, and switching it is never seen in the order of a key. */
export function recoveryMode(subject: OrderingSubject): Guarantee {
  return {
    name: "recovery mode",
    tests: [
      {
        name: "a hundred switches under load put no key out of order and overlap nothing",
        needs: ["partitionOrder"],
        run: (lab) => flips(lab, subject),
      },
      {
        name: "a bus that starts in recovery leaves it once checks find no backlog",
        needs: ["lag"],
        run: (lab) => leavesAtStart(lab, subject),
      },
      {
        name: "a backlog switches it on, and its end switches it off",
        needs: ["partitionOrder", "lag"],
        run: (lab) => followsBacklog(lab, subject),
      },
      {
        name: "a mode set by hand stays until it is given back to the checks",
        needs: ["lag"],
        run: (lab) => heldByHand(lab, subject),
      },
    ],
  };
}

async function flips(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const group = lab.group();
  const ledger = createLedger();
  const modes = new Set<boolean>();
  const options = { group, topics: [topic], ledger };
  const { bus, consumer } = await consumeInOrder(lab, subject, {
    ...options,
    handle: async (_, { recovering }) => {
      modes.add(recovering);
      await wait(systemClock, 1);
    },
  });
  const { transport } = await lab.publisher();
  for (let flip = 0; flip < FLIPS; flip++) {
    bus.setRecoveryMode(flip % 2 === 1);
    const before = consumer.handled;
    await publishNumbered(transport, { topic, keys: KEYS, perKey: 2, from: flip * 2 }, [ledger]);
    await lab.until(() => consumer.handled > before, "a message to be handled after a switch");
  }
  await closeBooks(lab, ledger, options);
  assert.equal(modes.size, 2, "messages are handled in both modes");
}

async function leavesAtStart(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(1);
  const options = { group: lab.group(), topics: [topic], ledger: createLedger() };
  const { bus } = await consumeInOrder(lab, subject, options);
  await lab.until(() => !bus.isInRecoveryMode(), "normal mode on an idle topic");
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 2, perKey: 2 }, [options.ledger]);
  await closeBooks(lab, options.ledger, options);
}

async function followsBacklog(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const group = lab.group();
  const ledger = createLedger();
  let isSlow = true;
  const options = { group, topics: [topic], ledger };
  const { bus } = await consumeInOrder(lab, subject, {
    ...options,
    handle: async () => void (await wait(systemClock, isSlow ? 25 : 0)),
    bus: { startMode: "normal", maxLagMessages: 20 },
  });
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: KEYS, perKey: 60 }, [ledger]);
  await lab.until(() => bus.isInRecoveryMode(), "recovery mode");
  isSlow = false;
  await closeBooks(lab, ledger, options);
  await lab.until(() => !bus.isInRecoveryMode(), "normal mode");
}

async function heldByHand(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(1);
  const { bus } = await consumeInOrder(lab, subject, { group: lab.group(), topics: [topic] });
  bus.setRecoveryMode(true);
  for (let check = 0; check < 3; check++) await bus.backlog.check();
  await lab.quiet();
  assert.ok(bus.isInRecoveryMode(), "checks without a backlog end a mode that is held by hand");
  bus.setRecoveryMode("auto");
  await lab.until(() => !bus.isInRecoveryMode(), "normal mode");
}
