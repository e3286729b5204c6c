import { strict as assert } from "node:assert";
import { createGate } from "../conformance/behaviour.ts";
import { closeBooks } from "../conformance/books.ts";
import type { Guarantee } from "../conformance/guarantee.ts";
import type { Lab } from "../conformance/lab.ts";
import { publishNumbered } from "../conformance/numbered.ts";
import { createLedger } from "../ledger.ts";
import { consumeInOrder } from "./ordered-consumer.ts";
import type { OrderingSubject } from "./ordering-subject.ts";

/** Messages behind that are still no backlog. */
const MAX_LAG = 20;

/** What is not handled is behind, what cannot be read is unknown, and only what is neither is clear. */
export function backlogDetection(subject: OrderingSubject): Guarantee {
  return {
    name: "backlog detection",
    tests: [
      {
        name: "messages that wait for their handlers are a backlog until they are handled",
        needs: ["lag"],
        run: (lab) => waitingMessages(lab, subject),
      },
      {
        name: "a lag within its bound is clear",
        needs: ["lag"],
        run: (lab) => withinBound(lab, subject),
      },
      {
        name: "a lag that cannot be read is unknown, never clear",
        needs: ["lag", "disconnect"],
        run: (lab) => unreadable(lab, subject),
      },
    ],
  };
}

async function waitingMessages(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(1);
  const group = lab.group();
  const ledger = createLedger();
  const gate = createGate();
  const options = { group, topics: [topic], ledger };
  const { bus } = await consumeInOrder(lab, subject, {
    ...options,
    handle: () => gate.opened,
    bus: { maxLagMessages: MAX_LAG },
  });
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 5, perKey: 20 }, [ledger]);
  await lab.until(async () => (await bus.backlog.check()) === "backlog", "a backlog");
  gate.open();
  await closeBooks(lab, ledger, options);
  await lab.until(async () => (await bus.backlog.check()) === "clear", "no backlog");
}

async function withinBound(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(1);
  const group = lab.group();
  const ledger = createLedger();
  const gate = createGate();
  const options = { group, topics: [topic], ledger };
  const { bus, consumer } = await consumeInOrder(lab, subject, {
    ...options,
    handle: () => gate.opened,
    bus: { maxLagMessages: MAX_LAG },
  });
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 2, perKey: MAX_LAG / 2 }, [ledger]);
  await lab.until(() => consumer.running > 0, "a handler to run");
  assert.equal(await bus.backlog.check(), "clear", `${MAX_LAG} messages behind are allowed`);
  gate.open();
  await closeBooks(lab, ledger, options);
}

async function unreadable(lab: Lab, subject: OrderingSubject): Promise<void> {
  const topic = await lab.topic(1);
  const options = { group: lab.group(), topics: [topic] };
  const { bus, consumer } = await consumeInOrder(lab, subject, options);
  await lab.until(async () => (await bus.backlog.check()) === "clear", "no backlog");
  const restore = await subject.faults?.disconnect?.(consumer.configured);
  await lab.until(async () => (await bus.backlog.check()) !== "clear", "the verdict to change", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
  assert.equal(await bus.backlog.check(), "unknown");
  await restore?.();
  await lab.until(async () => (await bus.backlog.check()) === "clear", "no backlog again", {
    timeoutMs: lab.timings.stepMs + lab.timings.takeoverMs,
  });
}
