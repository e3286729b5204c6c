import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "@bus/core/adapter";
import { connect } from "nats";
import { ClientLink } from "../src/client/client-link.ts";
import { JetStreamApi } from "../src/client/jetstream-api.ts";
import { ConsumerAdmin } from "../src/topology/consumer-admin.ts";
import { PartitionConsumers } from "../src/topology/partition-consumers.ts";
import { NatsLab } from "./nats-lab.ts";

describe.each(["2.15.2", "2.9.10"] as const)("taking a partition over on %s", (version) => {
  let lab: NatsLab;
  let link: ClientLink;
  let consumers: PartitionConsumers;
  const at = { group: "g", topic: "t", partition: 0 };
  const never = (): Promise<number> => Promise.reject(new Error("there is a position"));

  beforeAll(async () => {
    lab = await NatsLab.start({ version, processes: 0 });
    link = new ClientLink({
      clock: systemClock,
      isOwner: true,
      open: () => connect({ servers: lab.cluster.url }),
      onGone: () => undefined,
    });
    await link.open();
    const api = new JetStreamApi(link, { clock: systemClock, random: Math.random });
    const admin = new ConsumerAdmin(api, systemClock, "bus");
    consumers = new PartitionConsumers(admin, {
      durable: "bus",
      ackWaitMs: 30_000,
      maxAckPending: 1_000,
    });
    await lab.manager.streams.add({ name: "bus", subjects: ["t.0"] });
    for (let count = 0; count < 20; count += 1)
      await lab.connection.jetstream().publish("t.0", "v");
  });

  afterAll(async () => {
    await link.close();
    await lab[Symbol.asyncDispose]();
  });

  async function acknowledge(epoch: number, count: number): Promise<void> {
    const consumer = await lab.connection
      .jetstream()
      .consumers.get("bus", consumers.nameOf(at, epoch));
    const messages = await consumer.fetch({ max_messages: count, expires: 2_000 });
    let last;
    for await (const message of messages) last = message;
    await last?.ackAck();
  }

  async function epochs(): Promise<readonly number[]> {
    const found: number[] = [];
    for await (const { name } of lab.manager.consumers.list("bus"))
      found.push(Number(name.split("-e").at(-1)));
    return found.toSorted((a, b) => a - b);
  }

  test("begins behind what was acknowledged, whoever failed in between, and leaves one consumer", async () => {
    expect(
      await consumers.takeOver({
        ...at,
        epoch: 1,
        floor: undefined,
        initialStart: () => Promise.resolve(1),
      }),
    ).toBe(1);
    await acknowledge(1, 5);
    expect(
      await consumers.takeOver({ ...at, epoch: 2, floor: undefined, initialStart: never }),
    ).toBe(6);
    await acknowledge(2, 3);
    // Epochs 3 and 4 failed before they had made a consumer.
    expect(await consumers.takeOver({ ...at, epoch: 5, floor: 2, initialStart: never })).toBe(9);
    // Epoch 6 made its consumer and failed before it deleted the one before.
    await consumers.recreate({ ...at, epoch: 6 }, 9);
    await acknowledge(6, 2);
    expect(
      await consumers.takeOver({ ...at, epoch: 7, floor: undefined, initialStart: never }),
    ).toBe(11);
    expect(await epochs()).toEqual([7]);
    // Every consumer is gone, but the lease knows.
    await consumers.discard(at, 7);
    expect(await consumers.takeOver({ ...at, epoch: 8, floor: 10, initialStart: never })).toBe(11);
  });

  test("what a former owner acknowledges does not count, and it makes no consumer again", async () => {
    const old = await consumers.takeOver({
      ...at,
      epoch: 20,
      floor: undefined,
      initialStart: never,
    });
    const consumer = await lab.connection
      .jetstream()
      .consumers.get("bus", consumers.nameOf(at, 20));
    const message = await consumer.next({ expires: 2_000 });
    await consumers.takeOver({ ...at, epoch: 21, floor: undefined, initialStart: never });
    message?.ack();
    await lab.connection.flush();
    await expect(consumers.restore({ ...at, epoch: 20 }, old)).rejects.toMatchObject({
      code: "BUS_FENCED",
    });
    expect((await consumers.find(at, 21))?.ack_floor.stream_seq).toBe(old - 1);
    expect(await epochs()).toEqual([21]);
  });
});
