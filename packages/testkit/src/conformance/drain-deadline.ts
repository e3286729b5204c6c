import { strict as assert } from "node:assert";
import { ACK, RELEASE } from "@bus/core";
import type { CloseReport } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { createLedger } from "../ledger.ts";
import { aborted } from "./behaviour.ts";
import type { Behaviour } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { acknowledge, join, keep } from "./member.ts";
import type { Member } from "./member.ts";
import { publishNumbered } from "./numbered.ts";

const DEADLINE_MS = 150;

/** Close waits for running handlers, but not longer than it was told. */
export const drainDeadline: Guarantee = {
  name: "drain deadline",
  tests: [
    {
      name: "draining aborts at once, the signal only at the deadline, and close returns soon after with the count",
      run: atDeadline,
    },
    {
      name: "what is settled within the deadline is committed, and close returns without waiting for it",
      run: withinDeadline,
    },
    {
      name: "a settlement after the deadline is accepted, ignored and not committed",
      run: afterDeadline,
    },
    { name: "a deadline of zero aborts at once and still returns", run: noTime },
    ...(["slow", "failing"] as const).map((behaviour) => ({
      name: `${behaviour} handlers that end within the deadline are committed and do not run again`,
      run: (lab: Lab) => endsInTime(lab, behaviour),
    })),
    { name: "aborted handlers are counted, and their messages run again", run: abortedAtDeadline },
  ],
};

async function unsettled(lab: Lab, { group, topic }: Place): Promise<Member> {
  const { transport } = await lab.publisher();
  const member = await join(lab, await lab.process(), { group, topics: [topic], react: keep });
  await publishNumbered(transport, { topic, keys: 1, perKey: 5 });
  await lab.until(() => member.received.length === 5, "5 unsettled deliveries", {
    state: () => member.received.length,
  });
  return member;
}

async function atDeadline(lab: Lab): Promise<void> {
  const place = { topic: await lab.topic(), group: lab.group() };
  const member = await unsettled(lab, place);
  const [delivery] = member.received.map((received) => received.delivery);
  assert.ok(delivery !== undefined && !delivery.draining.aborted && !delivery.signal.aborted);
  const startMs = systemClock.monotonicMs();
  const at = (signal: AbortSignal): Promise<number> =>
    aborted(signal).then(() => systemClock.monotonicMs() - startMs);
  const [drained, stopped] = [at(delivery.draining), at(delivery.signal)];
  const report = await closeMember(lab, member, { drainTimeoutMs: DEADLINE_MS });
  const [drainedMs, stoppedMs] = await lab.within(
    Promise.all([drained, stopped]),
    "draining and signal to abort",
  );
  assert.ok(
    drainedMs < DEADLINE_MS,
    `draining aborted after ${drainedMs} ms, the deadline is ${DEADLINE_MS} ms`,
  );
  assert.ok(
    stoppedMs >= DEADLINE_MS - 1,
    `the signal aborted after ${stoppedMs} ms, before the deadline of ${DEADLINE_MS} ms`,
  );
  assert.equal(report.abandonedDeliveries, 5, "every unsettled delivery is counted");
  await receivesAgain(lab, place, 5);
}

async function withinDeadline(lab: Lab): Promise<void> {
  const place = { topic: await lab.topic(), group: lab.group() };
  const member = await unsettled(lab, place);
  const { stepMs } = lab.timings;
  const closing = closeMember(lab, member, { drainTimeoutMs: stepMs * 2, timeoutMs: stepMs });
  await lab.until(
    () => member.received.every(({ delivery }) => delivery.draining.aborted),
    "draining to abort",
  );
  for (const [index, received] of member.received.entries())
    received.settle(index < 3 ? ACK : RELEASE);
  assert.equal((await closing).abandonedDeliveries, 0, "nothing is abandoned");
  await receivesAgain(lab, place, 2);
}

async function afterDeadline(lab: Lab): Promise<void> {
  const place = { topic: await lab.topic(), group: lab.group() };
  const member = await unsettled(lab, place);
  await closeMember(lab, member, { drainTimeoutMs: 10 });
  for (const received of member.received) received.settle(ACK);
  await receivesAgain(lab, place, 5);
}

async function noTime(lab: Lab): Promise<void> {
  const place = { topic: await lab.topic(), group: lab.group() };
  const member = await unsettled(lab, place);
  const report = await closeMember(lab, member, { drainTimeoutMs: 0 });
  assert.equal(report.abandonedDeliveries, 5);
  assert.ok(
    member.received.every(({ delivery }) => delivery.signal.aborted),
    "every signal has aborted",
  );
}

async function endsInTime(lab: Lab, behaviour: Behaviour): Promise<void> {
  const topic = await lab.topic(3);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 9, perKey: 20 }, [ledger]);
  const first = await consume(lab, { group, topics: [topic], behaviour, ledger });
  await lab.until(() => first.handled > 10, "handlers to be at work", {
    state: () => first.handled,
  });
  const report = await lab.within(
    first.bus.close({ drainTimeoutMs: lab.timings.stepMs }),
    "a bus to drain",
  );
  assert.equal(report.abandonedDeliveries, 0);
  assert.equal(first.running, 0, "close returns after the last handler has ended");
  await consume(lab, { group, topics: [topic], ledger });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

async function abortedAtDeadline(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 4, perKey: 3 }, [ledger]);
  const stuck = await consume(lab, { group, topics: [topic], behaviour: "aborted", ledger });
  await lab.until(() => stuck.running > 0, "a handler to run");
  const { running } = stuck;
  const startMs = systemClock.monotonicMs();
  const report = await lab.within(
    stuck.bus.close({ drainTimeoutMs: DEADLINE_MS }),
    "a bus with stuck handlers to close",
    {
      timeoutMs: DEADLINE_MS + lab.timings.closeLateMs,
    },
  );
  const tookMs = systemClock.monotonicMs() - startMs;
  assert.ok(
    tookMs >= DEADLINE_MS - 1,
    `close returned after ${tookMs} ms, before handlers had had their ${DEADLINE_MS} ms`,
  );
  // What waits behind a handler that is cut short has not ended either.
  const { abandonedDeliveries } = report;
  assert.ok(
    abandonedDeliveries >= running && abandonedDeliveries <= 12,
    `${abandonedDeliveries} deliveries were abandoned, ${running} handlers of 12 ran`,
  );
  await consume(lab, { group, topics: [topic], ledger });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

function closeMember(
  lab: Lab,
  member: Member,
  options: { readonly drainTimeoutMs: number; readonly timeoutMs?: number },
): Promise<CloseReport> {
  const { drainTimeoutMs, timeoutMs = drainTimeoutMs + lab.timings.closeLateMs } = options;
  const closing = member.subscription.close({ drainTimeoutMs });
  return lab.within(closing, "a member to leave within its deadline", { timeoutMs });
}

interface Place {
  readonly group: string;
  readonly topic: string;
}

/** The next member gets exactly the last `count` messages. */
async function receivesAgain(lab: Lab, { group, topic }: Place, count: number): Promise<void> {
  const next = await join(lab, await lab.process(), { group, topics: [topic], react: acknowledge });
  await lab.until(() => next.received.length >= count, `${count} messages to come again`, {
    state: () => next.received.length,
  });
  await lab.quiet();
  assert.equal(next.received.length, count, "messages that came again");
}
