import { strict as assert } from "node:assert";
import { ACK } from "@bus/core";
import type { Settlement } from "@bus/core";
import { createLedger } from "../ledger.ts";
import type { Behaviour } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join } from "./member.ts";
import type { Received } from "./member.ts";
import { entryOf, publishNumbered } from "./numbered.ts";

const BEHAVIOURS: readonly Behaviour[] = ["slow", "failing", "aborted"];

/** A process that vanishes loses nothing: what it had not handled is handled by another. */
export const crash: Guarantee = {
  name: "crash without close",
  tests: [
    {
      name: "messages that were received and not settled come again, and nothing of them was committed",
      needs: ["crash"],
      run: unsettledComeAgain,
    },
    {
      name: "a publisher that crashes leaves what was accepted",
      needs: ["crash"],
      run: crashedPublisher,
    },
    ...BEHAVIOURS.map((behaviour) => ({
      name: `a crash while ${behaviour} handlers run loses nothing and repeats little`,
      needs: ["crash"] as const,
      run: (lab: Lab) => crashWhileHandling(lab, behaviour),
    })),
  ],
};

async function unsettledComeAgain(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const { transport } = await lab.publisher();
  const doomed = await lab.process();
  const react = (received: Received): Settlement | undefined =>
    entryOf(received).sequence < 10 ? ACK : undefined;
  const first = await join(lab, doomed, { group, topics: [topic], react });
  await publishNumbered(transport, { topic, keys: 1, perKey: 30 });
  await lab.until(() => first.received.length === 30, "30 deliveries", {
    state: () => first.received.length,
  });
  const committed = async (): Promise<bigint | undefined> => {
    const lag = await transport.capabilities.lag?.read({ group, topics: [topic] });
    return lag?.partitions[0]?.committed;
  };
  if (transport.capabilities.lag !== undefined) {
    const settled = first.received[9]?.offset ?? 0n;
    await lab.until(
      async () => ((await committed()) ?? -1n) > settled,
      "the settled prefix to be committed",
      { timeoutMs: lab.timings.stepMs + lab.timings.commitMs },
    );
  }
  await lab.crash(doomed.configured);
  const second = await join(lab, await lab.process(), {
    group,
    topics: [topic],
    react: acknowledge,
  });
  const sequences = (): readonly number[] =>
    second.received.map((received) => entryOf(received).sequence);
  await lab.until(() => second.received.length >= 20, "what was not settled to come again", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
    state: sequences,
  });
  await lab.quiet();
  const got = sequences();
  const missing = Array.from({ length: 20 }, (_, index) => index + 10).filter(
    (sequence) => !got.includes(sequence),
  );
  assert.deepEqual(missing, [], "unsettled messages that did not come again");
  const repeated = got.length - 20;
  lab.figures["duplicates"] = repeated;
  const allowed = transport.capabilities.lag === undefined ? 10 : 0;
  assert.ok(repeated <= allowed, `${repeated} committed messages came again: ${got.join(" ")}`);
}

async function crashedPublisher(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const doomed = await lab.process();
  await publishNumbered(doomed.transport, { topic, keys: 10, perKey: 10 }, [ledger]);
  await lab.crash(doomed.configured);
  await consume(lab, { group, topics: [topic], ledger });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

async function crashWhileHandling(lab: Lab, behaviour: Behaviour): Promise<void> {
  const topic = await lab.topic(3);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  const overrides = { maxInFlightMessages: 60 };
  await publishNumbered(transport, { topic, keys: 12, perKey: 10 }, [ledger]);
  const doomed = await consume(lab, { group, topics: [topic], behaviour, ledger, overrides });
  const busy = (): boolean => (behaviour === "aborted" ? doomed.running > 0 : doomed.handled >= 10);
  await lab.until(busy, "handlers to be at work", {
    state: () => `${doomed.handled} handled, ${doomed.running} running`,
  });
  const handledBefore = doomed.handled;
  await doomed.kill();
  await consume(lab, { group, topics: [topic], ledger });
  await publishNumbered(transport, { topic, keys: 12, perKey: 5, from: 10 }, [ledger]);
  const timeoutMs = lab.timings.stepMs + lab.timings.takeoverMs;
  // At worst nothing of what the crashed process handled had been committed.
  await closeBooks(lab, ledger, {
    group,
    topics: [topic],
    maxDuplicates: handledBefore,
    timeoutMs,
  });
  lab.figures["duplicates"] = ledger.duplicates;
  lab.figures["handledBeforeCrash"] = handledBefore;
}
