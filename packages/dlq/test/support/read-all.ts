import { randomUUID } from "node:crypto";
import { ACK, copyMessage } from "@bus/core";
import type { Clock, ConfiguredTransport, IncomingMessage } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { testHost, until } from "@bus/testkit";
import type { ManualClock } from "@bus/testkit";

/** Every message that a topic has now, in order of each partition; read through a transport of its own. */
export async function readAll(
  transport: ConfiguredTransport,
  topic: string,
  clock: Clock | ManualClock = systemClock,
): Promise<readonly IncomingMessage[]> {
  const client = transport.create(testHost({ clock }));
  await client.connect();
  const group = `read-${randomUUID()}`;
  const lag = await client.capabilities.lag?.read({ group, topics: [topic] });
  const total = (lag?.partitions ?? []).reduce((sum, { low, high }) => sum + Number(high - low), 0);
  const found: IncomingMessage[] = [];
  const topics = [{ topic, startFrom: "earliest" }] as const;
  const subscription = await client.subscribe({ group, topics }, (delivery) => {
    found.push(copyMessage(delivery));
    delivery.settle(ACK);
  });
  await until(
    async () => {
      if ("advanceAsync" in clock) await clock.advanceAsync(1);
      return found.length >= total;
    },
    { timeoutMs: 30_000, what: `${total} messages of ${topic}`, state: () => found.length },
  );
  const closing = subscription.close({ drainTimeoutMs: 0 });
  if ("advanceAsync" in clock) await clock.advanceAsync(1_000);
  await closing;
  await client.close({ drainTimeoutMs: 0 });
  return found;
}
