import { strict as assert } from "node:assert";
import { ACK, RetryLater } from "@bus/core";
import type { Settlement } from "@bus/core";
import { systemClock, wait } from "@bus/core/adapter";
import { createLedger } from "../ledger.ts";
import { closeBooks } from "./books.ts";
import { consume } from "./consumer.ts";
import type { ConsumerOptions } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { join } from "./member.ts";
import type { Received } from "./member.ts";
import { entryOf, publishNumbered, sequenceOf } from "./numbered.ts";

const DELAYS_MS = [0, 120, 60, 250];
/** Timers count whole milliseconds, so that 120 may be measured as 119.6. */
const ROUNDING_MS = 1;
const RETRY_AFTER_MS = 120;

/** What was not handled comes again: not earlier than asked, soon after, with its attempt counted. */
export const redelivery: Guarantee = {
  name: "redelivery after nack",
  tests: [
    {
      name: "a nacked delivery comes again after its delay, never earlier, its attempt one higher",
      needs: ["delayedRedelivery"],
      run: nackedWithDelay,
    },
    {
      name: "while nacked messages wait, others are delivered, and nothing past them is committed",
      needs: ["delayedRedelivery", "lag"],
      run: othersGoOn,
    },
    {
      name: "a message that is nacked again and again counts every attempt and is handled in the end",
      needs: ["delayedRedelivery"],
      run: nackedAgain,
    },
    {
      name: "a failed handler runs again after the time it asked for, never earlier",
      run: (lab) => retried(lab, "partition", 0),
    },
    {
      name: "a failed slow handler runs again after the time it asked for, never earlier",
      run: (lab) => retried(lab, "partition", 20),
    },
    {
      name: "failed unordered handlers run again after the time they asked for, never earlier",
      run: (lab) => retried(lab, "none", 5),
    },
    {
      name: "a wait before a retry ends when the bus closes, and the message comes again elsewhere",
      run: abortedWait,
    },
  ],
};

async function nackedWithDelay(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const process = await lab.publisher();
  const nackedAtMs = new Map<number, number>();
  const again: { readonly delayMs: number; readonly afterMs: number; readonly attempt: number }[] =
    [];
  const react = (received: Received): Settlement => {
    const { sequence } = entryOf(received);
    const delayMs = DELAYS_MS[sequence] ?? 0;
    const since = nackedAtMs.get(sequence);
    if (since !== undefined) {
      again.push({ delayMs, afterMs: received.atMs - since, attempt: received.attempt });
      return ACK;
    }
    assert.equal(received.attempt, 1, "the first delivery is attempt 1");
    nackedAtMs.set(sequence, systemClock.monotonicMs());
    return { kind: "nack", redeliverAfterMs: delayMs };
  };
  const member = await join(lab, process, { group: lab.group(), topics: [topic], react });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: DELAYS_MS.length });
  await lab.until(() => again.length === DELAYS_MS.length, "every nacked message to come again", {
    state: () => again,
  });
  await lab.quiet();
  assert.equal(
    member.received.length,
    DELAYS_MS.length * 2,
    "each message comes twice, not more often",
  );
  for (const { delayMs, afterMs, attempt } of again) {
    assert.ok(
      afterMs >= delayMs - ROUNDING_MS,
      `came again after ${afterMs} ms, asked were at least ${delayMs} ms`,
    );
    assert.ok(
      afterMs <= delayMs + lab.timings.redeliveryLateMs,
      `came again only after ${afterMs} ms, asked were ${delayMs} ms`,
    );
    assert.equal(attempt, 2, "the redelivery is attempt 2");
  }
}

async function othersGoOn(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const process = await lab.publisher();
  const longMs = Math.max(1_000, lab.timings.quietMs * 4);
  const react = (received: Received): Settlement =>
    entryOf(received).sequence === 0 && received.attempt === 1
      ? { kind: "nack", redeliverAfterMs: longMs }
      : ACK;
  const member = await join(lab, process, { group, topics: [topic], react });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 20 });
  await lab.until(() => member.received.length >= 20, "20 deliveries while one waits", {
    state: () => member.received.length,
  });
  await lab.quiet(Math.min(lab.timings.commitMs, longMs / 2));
  const lag = await process.transport.capabilities.lag?.read({ group, topics: [topic] });
  if (member.received.length === 20) {
    const waits = member.received[0]?.offset ?? 0n;
    const { committed, lagMessages = 0n } = lag?.partitions[0] ?? {};
    assert.ok(
      committed === undefined || committed <= waits,
      `${committed} is committed past the message at ${waits} that waits`,
    );
    // Where messages are acknowledged one by one, those behind it are no lag any more.
    assert.ok(lagMessages >= 1n, "a message that waits is lag");
  }
  await lab.until(() => member.received.length === 21, "the message that waited", {
    timeoutMs: longMs + lab.timings.redeliveryLateMs,
  });
}

async function nackedAgain(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const process = await lab.publisher();
  const attempts: number[] = [];
  const react = (received: Received): Settlement => {
    attempts.push(received.attempt);
    return received.attempt < 5 ? { kind: "nack", redeliverAfterMs: 5 } : ACK;
  };
  await join(lab, process, { group: lab.group(), topics: [topic], react });
  await publishNumbered(process.transport, { topic, keys: 1, perKey: 1 });
  await lab.until(() => attempts.length >= 5, "5 attempts", { state: () => attempts });
  await lab.quiet();
  assert.deepEqual(attempts, [1, 2, 3, 4, 5]);
}

async function retried(lab: Lab, ordering: "partition" | "none", slowMs: number): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const failedAtMs = new Map<string, number>();
  const handle: ConsumerOptions["handle"] = async (message, context) => {
    const id = `${message.partition}/${message.offset}`;
    const since = failedAtMs.get(id);
    if (since !== undefined) {
      const afterMs = systemClock.monotonicMs() - since;
      assert.ok(
        afterMs >= RETRY_AFTER_MS - ROUNDING_MS,
        `ran again after ${afterMs} ms, asked were ${RETRY_AFTER_MS} ms`,
      );
      assert.ok(context.attempt >= 2, `the second run is attempt ${context.attempt}`);
      return;
    }
    if (slowMs > 0) await wait(systemClock, slowMs);
    if (sequenceOf(message) % 4 !== 0) return;
    failedAtMs.set(id, systemClock.monotonicMs());
    throw new RetryLater({ afterMs: RETRY_AFTER_MS, reason: "not yet" });
  };
  const subscribe = { ordering } as const;
  const consumer = await consume(lab, { group, topics: [topic], ledger, handle, subscribe });
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 4, perKey: 4 }, [ledger]);
  await closeBooks(lab, ledger, {
    group,
    topics: [topic],
    order: ordering === "none" ? "free" : "kept",
  });
  assert.ok(
    failedAtMs.size > 0 && consumer.handled === 16,
    `${consumer.handled} of 16 handled, ${failedAtMs.size} after a failure`,
  );
}

async function abortedWait(lab: Lab): Promise<void> {
  const topic = await lab.topic();
  const group = lab.group();
  const ledger = createLedger();
  let failures = 0;
  const failing = await consume(lab, {
    group,
    topics: [topic],
    ledger,
    handle: () => {
      failures++;
      throw new RetryLater({ afterMs: 60_000, reason: "not for a minute" });
    },
  });
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 1, perKey: 3 }, [ledger]);
  await lab.until(() => failures > 0, "a handler to fail");
  const report = await lab.within(
    failing.bus.close({ drainTimeoutMs: 30_000 }),
    "close to end the wait before a retry",
    {
      timeoutMs: lab.timings.closeLateMs,
    },
  );
  assert.equal(report.abandonedDeliveries, 0, "a wait is given up, not abandoned");
  await consume(lab, { group, topics: [topic], ledger });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}
