import { strict as assert } from "node:assert";
import { BusError } from "@bus/core";
import type { OutgoingMessage, Transport } from "@bus/core";
import { createLedger } from "../ledger.ts";
import type { Ledger } from "../ledger.ts";
import { TROUBLED_BEHAVIOURS } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { consume, consumeThrough } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { bytesOf, entryOf, numberedMessages, publishNumbered } from "./numbered.ts";
import type { NumberedMessages } from "./numbered.ts";

/** A publish that resolved has stored its message. */
export const acceptedPublishArrives: Guarantee = {
  name: "every accepted publish arrives",
  tests: [
    {
      name: "messages of concurrent publishers over several topics and partitions all arrive, once",
      run: concurrentPublishers,
    },
    {
      name: "a publish that resolves while its transport closes has stored its message",
      run: publishWhileClosing,
    },
    {
      name: "messages accepted before, while and after their publisher is cut off arrive",
      needs: ["disconnect"],
      run: publishWhileCutOff,
    },
    ...TROUBLED_BEHAVIOURS.map((behaviour) => ({
      name: `every accepted message reaches ${behaviour} handlers`,
      run: async (lab: Lab): Promise<void> => {
        const topic = await lab.topic(4);
        const group = lab.group();
        const ledger = createLedger();
        const { transport } = await lab.publisher();
        await publishNumbered(transport, { topic, keys: 10, perKey: 15 }, [ledger]);
        await consumeThrough(lab, { group, topics: [topic], behaviour, ledger });
        await publishNumbered(transport, { topic, keys: 10, perKey: 5, from: 15 }, [ledger]);
        await closeBooks(lab, ledger, { group, topics: [topic] });
      },
    })),
  ],
};

async function concurrentPublishers(lab: Lab): Promise<void> {
  const topics = [await lab.topic(1), await lab.topic(4)];
  const group = lab.group();
  const ledger = createLedger();
  await consume(lab, { group, topics, ledger, subscribe: { ordering: "none" } });
  const { transport } = await lab.publisher();
  const publishers = topics.flatMap((topic) =>
    Array.from({ length: 4 }, async (_, publisher) => {
      const messages = numberedMessages({ topic, keys: 5, perKey: 50 }).map((message) =>
        renamed(message, publisher),
      );
      for (let start = 0; start < messages.length; start += 25) {
        await accepted(transport, messages.slice(start, start + 25), ledger);
      }
    }),
  );
  await Promise.all(publishers);
  // Order is another guarantee's business.
  await closeBooks(lab, ledger, { group, topics, order: "free" });
}

async function publishWhileClosing(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.process();
  const messages = numberedMessages({ topic, keys: 200, perKey: 1 });
  let refused = 0;
  const publishing = messages.map(async (message, index) => {
    await lab.quiet(index / 20);
    await accepted(transport, [message], ledger).catch((error: unknown) => {
      refused++;
      assert.ok(
        BusError.is(error),
        `a publish during close failed with ${String(error)}, which is no BusError`,
      );
    });
  });
  await lab.quiet(5);
  await lab.within(
    transport.close({ drainTimeoutMs: lab.timings.stepMs }),
    "close while publishing",
  );
  await lab.within(Promise.all(publishing), "every publish to settle after close");
  lab.figures["refused"] = refused;
  await consume(lab, { group, topics: [topic], ledger, subscribe: { startFrom: "earliest" } });
  await closeBooks(lab, ledger, { group, topics: [topic] });
}

async function publishWhileCutOff(lab: Lab): Promise<void> {
  const topic = await lab.topic(2);
  const group = lab.group();
  const ledger = createLedger();
  await consume(lab, { group, topics: [topic], ledger });
  const process = await lab.process();
  await publishNumbered(process.transport, { topic, keys: 8, perKey: 5 }, [ledger]);
  const restore = await lab.subject.faults?.disconnect?.(process.configured);
  const meanwhile = publishUntilAccepted(lab, process.transport, {
    spec: { topic, keys: 8, perKey: 5, from: 5 },
    ledger,
  });
  await lab.quiet();
  await restore?.();
  await lab.within(meanwhile, "publishing to succeed after the connection is back", {
    timeoutMs: lab.timings.takeoverMs + lab.timings.stepMs,
  });
  await publishNumbered(process.transport, { topic, keys: 8, perKey: 5, from: 10 }, [ledger]);
  // A message that was stored although its publish failed comes twice: its number was published again.
  await closeBooks(lab, ledger, { group, topics: [topic], maxDuplicates: 40 });
  lab.figures["duplicates"] = ledger.duplicates;
}

interface BookedMessages {
  readonly spec: NumberedMessages;
  readonly ledger: Ledger;
}

/** Publish key by key, each number again until it is accepted, as a careful caller would. */
async function publishUntilAccepted(
  lab: Lab,
  transport: Transport,
  { spec, ledger }: BookedMessages,
): Promise<void> {
  for (const message of numberedMessages(spec)) {
    let stored = false;
    const attempt = (): Promise<boolean> =>
      accepted(transport, [message], ledger).then(
        () => true,
        (error: unknown) => {
          assert.ok(
            BusError.is(error) && error.retryable,
            `a publish failed for good: ${String(error)}`,
          );
          return false;
        },
      );
    await lab.until(
      async () => (stored = stored || (await attempt())),
      "a publish to be accepted",
      {
        timeoutMs: lab.timings.takeoverMs + lab.timings.stepMs,
      },
    );
  }
}

async function accepted(
  transport: Transport,
  messages: readonly OutgoingMessage[],
  ledger: Ledger,
): Promise<void> {
  await transport.publish(messages);
  for (const message of messages) ledger.published(entryOf(message));
}

function renamed(message: OutgoingMessage, publisher: number): OutgoingMessage {
  const { key } = entryOf(message);
  return { ...message, key: bytesOf(`${key}-of-${publisher}`) };
}
