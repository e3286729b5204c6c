import { strict as assert } from "node:assert";
import { RetryLater } from "@bus/core";
import { systemClock, wait } from "@bus/core/adapter";
import { closeBooks } from "../conformance/books.ts";
import type { Consumer } from "../conformance/consumer.ts";
import type { Guarantee } from "../conformance/guarantee.ts";
import type { Lab } from "../conformance/lab.ts";
import { entryOf, publishNumbered } from "../conformance/numbered.ts";
import { startPublishing } from "../conformance/steady-publisher.ts";
import { createLedger } from "../ledger.ts";
import { CONCURRENCY, consumeInOrder } from "./ordered-consumer.ts";
import type { OrderedConsumerOptions } from "./ordered-consumer.ts";
import type { OrderingSubject } from "./ordering-subject.ts";

const KEYS = 24;
const PARTITIONS = 4;
/** Most messages of a member that may be under way, and so repeated when it vanishes. */
const MAX_IN_FLIGHT = 60;

/** Keys are handled many at a time, each one message after the other, whoever owns its partition. */
export function keyOrder(subject: OrderingSubject): Guarantee {
  return {
    name: "order by key",
    tests: [
      ...(["slow", "failing"] as const).map((behaviour) => ({
        name: `${behaviour} handlers of one partition run many at a time, one a key, in order`,
        needs: ["partitionOrder"] as const,
        run: (lab: Lab) => manyAtATime(lab, subject, behaviour),
      })),
      {
        name: "a key whose handler fails for ever holds up nothing but itself, and nothing behind it is committed",
        needs: ["partitionOrder", "lag"],
        run: (lab) => failingKey(lab, subject),
      },
      {
        name: "more failing keys than handlers at once hold up nobody else",
        needs: ["partitionOrder"],
        run: (lab) => manyFailingKeys(lab, subject),
      },
      {
        name: "members join and leave: every key stays in order, nothing is lost, little repeated",
        needs: ["partitionOrder"],
        run: (lab) => joinAndLeave(lab, subject),
      },
      {
        name: "a member is killed: every key stays in order, nothing is lost, little repeated",
        needs: ["partitionOrder", "crash"],
        run: (lab) => killOne(lab, subject),
      },
    ],
  };
}

async function manyAtATime(
  lab: Lab,
  subject: OrderingSubject,
  behaviour: "slow" | "failing",
): Promise<void> {
  const topic = await lab.topic(1);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: KEYS, perKey: 20 }, [ledger]);
  // Neighbours of one key: whoever takes what comes next runs them at once.
  await publishNumbered(transport, { topic, keys: 1, perKey: 30, from: 20 }, [ledger]);
  const handle = async (): Promise<void> => void (await wait(systemClock, 5));
  const options = { group, topics: [topic], behaviour, ledger, handle };
  const { consumer } = await consumeInOrder(lab, subject, options);
  await closeBooks(lab, ledger, { group, topics: [topic] });
  assert.equal(
    consumer.peakRunning,
    CONCURRENCY,
    `at most ${consumer.peakRunning} handlers ran at once, although ${CONCURRENCY} were allowed and ${KEYS} keys waited`,
  );
}

async function failingKey(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: KEYS, perKey: 10 }, [ledger]);
  let isBroken = true;
  let poison: { readonly partition: number; readonly offset: bigint } | undefined;
  const handle: OrderedConsumerOptions["handle"] = (message) => {
    const { key, sequence } = entryOf({ topic, key: message.keyBytes, value: message.value });
    if (!isBroken || key !== "key-0" || sequence !== 3) return;
    poison = message;
    throw new RetryLater({ afterMs: 20, reason: "still broken" });
  };
  await consumeInOrder(lab, subject, { group, topics: [topic], ledger, handle });
  // Of the failing key three are handled, seven wait.
  await lab.until(() => ledger.outstanding === 7, "every other key to be handled", {
    state: () => `${ledger.outstanding} outstanding`,
  });
  await lab.quiet(lab.timings.commitMs);
  const lag = await transport.capabilities.lag?.read({ group, topics: [topic] });
  const committed = lag?.partitions.find(({ partition }) => partition === poison?.partition);
  assert.ok(
    (committed?.committed ?? 0n) <= (poison?.offset ?? -1n),
    `committed ${committed?.committed} although offset ${poison?.offset} is not handled`,
  );
  isBroken = false;
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

async function manyFailingKeys(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  const failing = CONCURRENCY * 2;
  await publishNumbered(transport, { topic, keys: failing * 2, perKey: 5 }, [ledger]);
  let isBroken = true;
  const handle: OrderedConsumerOptions["handle"] = (message) => {
    const { key } = entryOf({ topic, key: message.keyBytes, value: message.value });
    if (isBroken && Number(key.slice("key-".length)) < failing)
      throw new RetryLater({ afterMs: 300, reason: "still broken" });
  };
  await consumeInOrder(lab, subject, { group, topics: [topic], ledger, handle });
  await lab.until(() => ledger.outstanding === failing * 5, "every healthy key to be handled", {
    state: () => `${ledger.outstanding} outstanding`,
  });
  isBroken = false;
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

async function joinAndLeave(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const options = busyMember(lab, topic);
  const publisher = startPublishing(lab, { topic, keys: KEYS, ledgers: [options.ledger] });
  const { consumer: first } = await consumeInOrder(lab, subject, options);
  await progress(lab, first);
  const { consumer: second } = await consumeInOrder(lab, subject, options);
  await progress(lab, second);
  await lab.within(first.bus.close(), "a member to leave", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
  await progress(lab, second);
  await publisher.stop();
  await closeBooks(lab, options.ledger, { ...options, maxDuplicates: PARTITIONS * 2 });
  lab.figures["duplicates"] = options.ledger.duplicates;
}

async function killOne(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const options = busyMember(lab, topic);
  const publisher = startPublishing(lab, { topic, keys: KEYS, ledgers: [options.ledger] });
  const { consumer: survivor } = await consumeInOrder(lab, subject, options);
  const { consumer: doomed } = await consumeInOrder(lab, subject, options);
  await progress(lab, survivor);
  await progress(lab, doomed);
  const lately = doomed.handledSince(systemClock.monotonicMs() - lab.timings.commitMs);
  await doomed.kill();
  await progress(lab, survivor);
  await publisher.stop();
  await closeBooks(lab, options.ledger, {
    ...options,
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
    // What the dead member had handled within one commit interval or ahead of a slower message, and what moved around it.
    maxDuplicates: lately + MAX_IN_FLIGHT + PARTITIONS * 3,
  });
  lab.figures["duplicates"] = options.ledger.duplicates;
}

function busyMember(lab: Lab, topic: string) {
  return {
    group: lab.group(),
    topics: [topic],
    behaviour: "slow",
    ledger: createLedger(),
    overrides: { maxInFlightMessages: MAX_IN_FLIGHT },
  } as const;
}

/** Wait until a member has handled more than before. */
async function progress(lab: Lab, member: Consumer): Promise<void> {
  const before = member.handled;
  await lab.until(() => member.handled >= before + 30, "a member to go on", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
    state: () => `${member.handled - before} handled meanwhile`,
  });
}
