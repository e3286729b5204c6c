import { createEventBus } from "@bus/core";
import { partitionOf } from "@bus/core/adapter";
import { nats } from "@bus/nats";
import type { NatsOptions } from "@bus/nats";
import { AckPolicy, connect, createInbox, headers } from "nats";
import type { MsgHdrs, NatsConnection } from "nats";
import { benchTopic, FirstToLast } from "./kafka-contenders.ts";
import { measure } from "./side-by-side.ts";
import type { Contender } from "./side-by-side.ts";
import { WORKLOAD_HEADERS, WorkloadCheck } from "./workload.ts";
import type { Workload, WorkloadMessage } from "./workload.ts";

/** The stream of all runs. */
export const STREAM = "bench";
/** Transmissions that wait for an acknowledgement, in every publisher. */
const WINDOW = 1_024;
/** Calls that are open when more are made, on the bus. */
const REFILL = 896;

/** Messages to publish. */
export interface NatsPublishJob {
  readonly servers: readonly string[];
  readonly partitions: number;
  /** Made in slices while they are published: kept in memory they would make every garbage collection of a run dearer. */
  readonly workload: Workload;
  /** A topic whose subjects the stream has, and nothing else stored. */
  readonly topic: () => Promise<string>;
}

/** Messages of a slice. */
const SLICE = 1_000;

function* messagesOf(workload: Workload): Generator<readonly [number, WorkloadMessage]> {
  for (let from = 0; from < workload.length; from += SLICE)
    for (const [index, message] of workload.slice(from, from + SLICE).entries())
      yield [from + index, message];
}

/** What a raw publisher writes beside the value. */
export type RawHeaders = "none" | "all";

const decoder = new TextDecoder();

function headersOf({ key }: WorkloadMessage, id: string): MsgHdrs {
  const block = headers();
  block.set("Nats-Msg-Id", id);
  block.set("Bus-Key", decoder.decode(key));
  for (const [name, value] of WORKLOAD_HEADERS) block.append(name, decoder.decode(value));
  return block;
}

/** The fastest way with the client alone: one inbox of our own, a window, no promise and no timer a message. */
export function rawPipeline(job: NatsPublishJob, written: RawHeaders): Contender {
  const { servers, partitions, workload } = job;
  const what = written === "none" ? "no headers, no ids" : "3 headers, key, message ids";
  return {
    name: `raw client, own acknowledgement inbox, ${what}`,
    async run() {
      const topic = await job.topic();
      const connection = await connect({ servers: [...servers], noAsyncTraces: true });
      const inbox = createInbox();
      let outstanding = 0;
      let failed = 0;
      let wake: () => void = () => undefined;
      connection.subscribe(`${inbox}.*`, {
        callback: (_, message) => {
          const { seq } = JSON.parse(decoder.decode(message.data)) as { seq?: number };
          if (seq === undefined) failed += 1;
          outstanding -= 1;
          if (outstanding < WINDOW) wake();
        },
      });
      const measurement = await measure(workload.length, async () => {
        for (const [index, message] of messagesOf(workload)) {
          if (outstanding >= WINDOW) await new Promise<void>((resolve) => void (wake = resolve));
          outstanding += 1;
          const subject = `${topic}.${partitionOf(message.key, partitions)}`;
          connection.publish(subject, message.value, {
            reply: `${inbox}.${index}`,
            ...(written === "none" ? {} : { headers: headersOf(message, `${topic}-${index}`) }),
          });
        }
        while (outstanding > 0) await new Promise<void>((resolve) => void (wake = resolve));
      });
      await connection.close();
      if (failed > 0) throw new Error(`run is void: ${failed} not stored`);
      return measurement;
    },
  };
}

/** What the client's own API gives: `js.publish`, with a window. */
export function windowedPublish({
  servers,
  partitions,
  workload,
  topic,
}: NatsPublishJob): Contender {
  return {
    name: "raw client, js.publish with a window",
    async run() {
      const name = await topic();
      const connection = await connect({ servers: [...servers], noAsyncTraces: true });
      const jetstream = connection.jetstream();
      const measurement = await measure(workload.length, async () => {
        let outstanding = 0;
        let wake: () => void = () => undefined;
        const stored = (): void => {
          outstanding -= 1;
          wake();
        };
        for (const [index, message] of messagesOf(workload)) {
          if (outstanding >= WINDOW) await new Promise<void>((resolve) => void (wake = resolve));
          outstanding += 1;
          const subject = `${name}.${partitionOf(message.key, partitions)}`;
          const written = { headers: headersOf(message, `${name}-${index}`) };
          void jetstream.publish(subject, message.value, written).then(stored);
        }
        while (outstanding > 0) await new Promise<void>((resolve) => void (wake = resolve));
      });
      await connection.close();
      return measurement;
    },
  };
}

/** The bus: one call a message, as many without an outcome as the others have. */
export function busPublisher({ servers, partitions, workload, topic }: NatsPublishJob): Contender {
  return {
    name: "@bus/nats, one call a message",
    async run() {
      const target = benchTopic(await topic());
      const bus = createEventBus({ transport: nats(options(servers, { partitions })) });
      await bus.start();
      const measurement = await measure(workload.length, async () => {
        let outstanding = 0;
        let wake: () => void = () => undefined;
        const published = (): void => {
          outstanding -= 1;
          if (outstanding === REFILL || outstanding === 0) wake();
        };
        for (const [, { key, value }] of messagesOf(workload)) {
          outstanding += 1;
          void bus.publish(target, value, { key, headers: WORKLOAD_HEADERS }).then(published);
          if (outstanding === 2 * WINDOW)
            await new Promise<void>((resolve) => void (wake = resolve));
        }
        while (outstanding > 0) await new Promise<void>((resolve) => void (wake = resolve));
      });
      await bus.close();
      return measurement;
    },
  };
}

/** A pre-filled topic to consume. */
export interface NatsConsumeJob {
  readonly servers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly messages: number;
}

let consumers = 0;
const freshName = (): string => `bench-${process.pid}-${consumers++}`;

/** The client's fastest consumer: one, with a callback that acknowledges every message. */
export function rawConsumer({ servers, topic, messages }: NatsConsumeJob): Contender {
  return {
    name: "raw client, consume() with a callback and ack()",
    async run() {
      const connection = await connect({ servers: [...servers], noAsyncTraces: true });
      const measurement = await consumeRaw(connection, topic, messages);
      await connection.drain();
      return measurement;
    },
  };
}

async function consumeRaw(
  connection: NatsConnection,
  topic: string,
  messages: number,
): Promise<Awaited<ReturnType<Contender["run"]>>> {
  const durable = freshName();
  const manager = await connection.jetstreamManager();
  await manager.consumers.add(STREAM, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    filter_subject: `${topic}.>`,
    max_ack_pending: 10_000,
  });
  const check = new WorkloadCheck(messages);
  const timer = new FirstToLast(messages);
  const consumer = await connection.jetstream().consumers.get(STREAM, durable);
  const consuming = await consumer.consume({
    max_messages: 5_000,
    callback: (message) => {
      timer.first();
      const isLast = check.end(check.begin(message.data));
      message.ack();
      if (isLast) timer.last();
    },
  });
  const measurement = await timer.measurement;
  await consuming.close();
  await connection.flush();
  await manager.consumers.delete(STREAM, durable);
  check.assertClean();
  return measurement;
}

/** The whole bus: partitions with leases, acknowledgements, a handler that does nothing. */
export function busConsumer({ servers, topic, partitions, messages }: NatsConsumeJob): Contender {
  return {
    name: "@bus/nats, partitions, no-op handler",
    async run() {
      const transport = nats(options(servers, { partitions }));
      const bus = createEventBus({ group: freshName(), transport });
      const check = new WorkloadCheck(messages);
      const timer = new FirstToLast(messages);
      await bus.subscribe(benchTopic(topic), ({ value }) => {
        timer.first();
        if (check.end(check.begin(value))) timer.last();
      });
      await bus.start();
      const measurement = await timer.measurement;
      await bus.close();
      check.assertClean();
      return measurement;
    },
  };
}

/** Options of every bus in the runs. */
export function options(
  servers: readonly string[],
  { partitions }: { readonly partitions: number },
): NatsOptions {
  return { servers, partitions, stream: { name: STREAM, storage: "file", ensure: "create" } };
}
