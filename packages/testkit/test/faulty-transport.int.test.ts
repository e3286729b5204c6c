import { expect, test } from "vitest";
import { BusError, BusTransportError } from "@bus/core";
import type { Delivery, Transport } from "@bus/core";
import { memory } from "@bus/memory";
import { faultyTransport, manualClock, testHost, until } from "@bus/testkit";
import type { TestHost, TransportFaults } from "@bus/testkit";

interface Opened {
  readonly transport: Transport;
  readonly received: string[];
}

async function open(faults: TransportFaults, host: TestHost = testHost()): Promise<Opened> {
  const transport = faultyTransport(memory(), faults).create(host);
  await transport.connect();
  const received: string[] = [];
  const deliver = (delivery: Delivery): void => {
    received.push(new TextDecoder().decode(delivery.value ?? new Uint8Array(0)));
    delivery.settle({ kind: "ack" });
  };
  await transport.capabilities.topics?.create([{ topic: "orders", partitions: 1 }]);
  await transport.subscribe({ group: "billing", topics: [{ topic: "orders" }] }, deliver);
  return { transport, received };
}

const publish = (transport: Transport, ...values: readonly string[]): Promise<unknown> =>
  transport.publish(
    values.map((value) => ({
      topic: "orders",
      key: null,
      value: new TextEncoder().encode(value),
      headers: [],
    })),
  );

async function codeOf(failing: Promise<unknown>): Promise<string> {
  try {
    await failing;
    return "none";
  } catch (error) {
    return BusError.is(error) ? error.code : String(error);
  }
}

const arrives = (received: readonly string[], count: number): Promise<void> =>
  until(() => received.length >= count, {
    timeoutMs: 2_000,
    what: `${count} messages`,
    state: () => received,
  });

test("without faults a wrapped transport is the transport", async () => {
  const { transport, received } = await open({});
  await publish(transport, "a", "b");
  await arrives(received, 2);
  await transport.close({ drainTimeoutMs: 0 });
  expect(received).toEqual(["a", "b"]);
  expect(transport.name).toBe("memory");
});

test("a failed publish stores nothing and rejects with the error that was asked for", async () => {
  const rejected = new BusTransportError("BUS_BROKER_REJECTED", "no");
  const { transport, received } = await open({
    publish: (_messages, call) => {
      if (call === 1) return { kind: "fail" };
      return call === 2 ? { kind: "fail", error: rejected } : undefined;
    },
  });
  expect(await codeOf(publish(transport, "a"))).toBe("BUS_PUBLISH_FAILED");
  expect(await codeOf(publish(transport, "b"))).toBe("BUS_BROKER_REJECTED");
  await publish(transport, "c");
  await arrives(received, 1);
  await transport.close({ drainTimeoutMs: 0 });
  expect(received).toEqual(["c"]);
});

test("an unknown outcome rejects alike whether the message was stored or not", async () => {
  const { transport, received } = await open({
    publish: (_messages, call) =>
      call <= 2 ? { kind: "outcomeUnknown", stored: call === 1 } : undefined,
  });
  expect(await codeOf(publish(transport, "stored"))).toBe("BUS_OUTCOME_UNKNOWN");
  expect(await codeOf(publish(transport, "not stored"))).toBe("BUS_OUTCOME_UNKNOWN");
  await publish(transport, "last");
  await arrives(received, 2);
  await transport.close({ drainTimeoutMs: 0 });
  expect(received).toEqual(["stored", "last"]);
});

test("a delayed publish goes through when its time has come on the host's clock", async () => {
  const clock = manualClock();
  const { transport } = await open(
    { publish: () => ({ kind: "delay", delayMs: 500 }) },
    testHost({ clock }),
  );
  let accepted = false;
  const publishing = publish(transport, "late").then(() => (accepted = true));
  await clock.advanceAsync(499);
  expect(accepted).toBe(false);
  await clock.advanceAsync(10);
  await publishing;
  await transport.close({ drainTimeoutMs: 0 });
});

test("late deliveries hold back later ones of their partition, so that order is kept", async () => {
  const { transport, received } = await open({
    deliverLateMs: (delivery) => (delivery.offset === 1n ? 30 : undefined),
  });
  await publish(transport, "a", "b", "c");
  await arrives(received, 3);
  await transport.close({ drainTimeoutMs: 0 });
  expect(received).toEqual(["a", "b", "c"]);
});

test("a swallowed event is heard by nobody", async () => {
  const host = testHost();
  const { transport } = await open({ dropEvent: (event) => event.kind === "assigned" }, host);
  await transport.close({ drainTimeoutMs: 0 });
  expect(host.events.length).toBeGreaterThan(0);
  expect(host.events.map(({ kind }) => kind)).not.toContain("assigned");
});

test("a connect that should fail fails with its error and does not connect", async () => {
  const refused = new BusTransportError("BUS_AUTHENTICATION", "wrong password");
  const transport = faultyTransport(memory(), { connect: () => refused }).create(testHost());
  expect(await codeOf(transport.connect())).toBe("BUS_AUTHENTICATION");
  await transport.close({ drainTimeoutMs: 0 });
});
