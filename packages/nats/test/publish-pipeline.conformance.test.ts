import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { BusError, OutgoingMessage } from "@bus/core";
import { systemClock } from "@bus/core/adapter";
import { startNats } from "@bus/tools-brokers";
import type { NatsCluster } from "@bus/tools-brokers";

import { ClientLink } from "../src/client/client-link.ts";
import { JetStreamApi } from "../src/client/jetstream-api.ts";
import { openConnection } from "../src/client/open-connection.ts";
import { LinkPublishPort } from "../src/client/publish-port.ts";
import { NATS_DEFAULTS } from "../src/nats-defaults.ts";
import { encodeHeaderBlock, encodeQuestion } from "../src/publish/header-block.ts";
import { PublishPipeline } from "../src/publish/publish-pipeline.ts";
import type { PublishPort } from "../src/publish/publish-port.ts";

const CLUSTERS = [
  { version: "2.15.2", nodes: 1 },
  { version: "2.9.10", nodes: 1 },
  { version: "2.15.2", nodes: 3 },
  { version: "2.9.10", nodes: 3 },
] as const;

const STREAM = "orders";
const encode = (text: string): Uint8Array => Buffer.from(text);

interface Lab extends AsyncDisposable {
  readonly link: ClientLink;
  readonly api: JetStreamApi;
  pipeline(options?: { readonly timeoutMs?: number; readonly port?: PublishPort }): PublishPipeline;
}

async function openLab(cluster: NatsCluster, config: object = {}): Promise<Lab> {
  const options = { ...NATS_DEFAULTS, servers: cluster.servers };
  const link = new ClientLink({
    clock: systemClock,
    open: async () => await openConnection(options, Math.random),
    onGone: () => undefined,
    isOwner: true,
  });
  await link.open();
  const api = new JetStreamApi(link, { clock: systemClock, random: Math.random });
  const stream = {
    name: STREAM,
    subjects: ["t.>"],
    storage: "file",
    retention: "limits",
    discard: "new",
    num_replicas: cluster.nodes.length,
    duplicate_window: 120_000_000_000,
    max_msgs: -1,
    max_bytes: -1,
    ...config,
  };
  await api.call(`STREAM.CREATE.${STREAM}`, stream, { patienceMs: 20_000 });
  const pipelines: PublishPipeline[] = [];
  return {
    link,
    api,
    pipeline: ({ timeoutMs = 30_000, port = new LinkPublishPort(link) } = {}) => {
      const pipeline = new PublishPipeline({
        port,
        clock: systemClock,
        random: Math.random,
        options: { ...NATS_DEFAULTS.publish, timeoutMs },
        route: ({ topic, key }) => ({ subject: `t.${topic}.${key?.length ?? 0}`, partition: 0 }),
        idPrefix: `${randomUUID()}-`,
      });
      link.listen({
        connected: () => pipeline.reconnected(),
        disconnected: () => pipeline.disconnected(),
      });
      pipelines.push(pipeline);
      return pipeline;
    },
    async [Symbol.asyncDispose]() {
      for (const pipeline of pipelines) await pipeline.close(1_000);
      await link.close();
    },
  };
}

function message(key: string | null, value: string, topic = "orders"): OutgoingMessage {
  return { topic, key: key === null ? null : encode(key), value: encode(value), headers: [] };
}

/** Values of the stream in the order of their sequences. */
async function storedValues(api: JetStreamApi): Promise<string[]> {
  const { state } = await api.call<{ state: { first_seq: number; last_seq: number } }>(
    `STREAM.INFO.${STREAM}`,
    undefined,
    { patienceMs: 20_000 },
  );
  const values: string[] = [];
  for (let from = state.first_seq; from <= state.last_seq; from += 200) {
    const seqs = Array.from(
      { length: Math.min(200, state.last_seq - from + 1) },
      (_, index) => from + index,
    );
    const answers = await Promise.all(
      seqs.map(
        async (seq) =>
          await api.call<{ message: { data?: string } }>(
            `STREAM.MSG.GET.${STREAM}`,
            { seq },
            { patienceMs: 20_000 },
          ),
      ),
    );
    for (const answer of answers)
      values.push(Buffer.from(answer.message.data ?? "", "base64").toString());
  }
  return values;
}

for (const { version, nodes } of CLUSTERS) {
  const name = `nats ${version}, ${nodes} node${nodes > 1 ? "s" : ""}`;

  test(`${name}: a question tells whether a message is stored, and stores nothing itself`, async () => {
    await using cluster = await startNats({ version, nodes });
    // Where roll-ups are allowed, a question must not be taken for one; 2.9 does not answer it then.
    await using lab = await openLab(cluster, { allow_rollup_hdrs: version === "2.15.2" });
    const ask = async (block: Uint8Array, payload: string): Promise<unknown> => {
      const inbox = lab.link.createInbox();
      return await new Promise((resolve) => {
        const subscription = lab.link.subscribe(inbox, ({ data }) => {
          subscription.unsubscribe();
          resolve(JSON.parse(Buffer.from(data).toString()));
        });
        lab.link.publish("t.q", encode(payload), { reply: inbox, headerBytes: block });
      });
    };
    const block = (id: string): Uint8Array => encodeHeaderBlock(message(null, "v"), id);
    expect(await ask(encodeQuestion("a"), "")).toMatchObject({ error: { err_code: 10_111 } });
    expect(await ask(block("a"), "v")).toMatchObject({ seq: 1 });
    expect(await ask(encodeQuestion("b"), "")).toMatchObject({ error: { err_code: 10_111 } });
    expect(await ask(encodeQuestion("a"), "")).toMatchObject({ seq: 1, duplicate: true });
    expect(await ask(block("b"), "v")).toMatchObject({ seq: 2 });
    expect(await ask(encodeQuestion("a"), "")).toMatchObject({ seq: 1, duplicate: true });
    expect(await storedValues(lab.api)).toEqual(["v", "v"]);
  });
}

for (const version of ["2.15.2", "2.9.10"] as const) {
  test(`nats ${version}: receipts tell the sequences at which messages were stored`, async () => {
    await using cluster = await startNats({ version });
    await using lab = await openLab(cluster);
    const pipeline = lab.pipeline();
    const messages = Array.from({ length: 5_000 }, (_, index) =>
      message(`k${index % 7}`, String(index)),
    );
    const receipts = await pipeline.publish(messages);
    expect(receipts.map(({ offset }) => offset)).toEqual(
      messages.map((_, index) => BigInt(index + 1)),
    );
    expect(pipeline.stats).toMatchObject({ pendingMessages: 0, outMessages: 0, duplicates: 0 });
  });

  test(`nats ${version}: a full stream, a message that is too large and a subject without a stream fail as what they are`, async () => {
    await using cluster = await startNats({ version });
    await using lab = await openLab(cluster, { max_msgs: 2 });
    const pipeline = lab.pipeline({ timeoutMs: 1_500 });
    await pipeline.publish([message("k", "1"), message("k", "2")]);
    await expect(pipeline.publish([message("k", "3")])).rejects.toMatchObject({
      code: "BUS_PUBLISH_FAILED",
      details: { errorCode: 10_077 },
    });
    await expect(
      pipeline.publish([message("k", "x".repeat(lab.link.maxPayloadBytes))]),
    ).rejects.toMatchObject({ code: "BUS_MESSAGE_TOO_LARGE" });
    await lab.api.call(`STREAM.PURGE.${STREAM}`, undefined);
    expect(await pipeline.publish([message("k", "4")])).toHaveLength(1);
    await lab.api.call(`STREAM.DELETE.${STREAM}`, undefined);
    await expect(pipeline.publish([message("k", "5")])).rejects.toMatchObject({
      code: "BUS_PUBLISH_FAILED",
      message: expect.stringContaining("within 1500 ms") as string,
    });
  });

  test(`nats ${version}: a server that is restarted under load loses and repeats nothing, and keys keep their order`, async () => {
    await using cluster = await startNats({ version });
    await using lab = await openLab(cluster);
    const pipeline = lab.pipeline();
    const outcome = await underLoad(pipeline, async () => {
      await sleep(500);
      await cluster.kill(1);
      await sleep(300);
      await cluster.restart(1);
      await sleep(1_500);
    });
    judge(outcome, await storedValues(lab.api));
    expect(outcome.failed).toEqual([]);
  });

  test(`nats ${version}: a server that is frozen for longer than an answer may take loses and repeats nothing`, async () => {
    await using cluster = await startNats({ version });
    await using lab = await openLab(cluster);
    const pipeline = lab.pipeline();
    const outcome = await underLoad(pipeline, async () => {
      await sleep(500);
      await cluster.pause(1);
      await sleep(4_500);
      await cluster.resume(1);
      await sleep(1_000);
    });
    judge(outcome, await storedValues(lab.api));
    expect(outcome.failed).toEqual([]);
    expect(pipeline.stats.duplicates).toBeGreaterThan(0);
  });

  test(`nats ${version}, 3 nodes: when the leader of the stream is killed under load nothing is lost or repeated, and keys keep their order`, async () => {
    await using cluster = await startNats({ version, nodes: 3 });
    await using lab = await openLab(cluster);
    const pipeline = lab.pipeline();
    const outcome = await underLoad(pipeline, async () => {
      await sleep(500);
      const { cluster: info } = await lab.api.call<{ cluster: { leader: string } }>(
        `STREAM.INFO.${STREAM}`,
        undefined,
      );
      await cluster.kill(Number(info.leader.replace("node-", "")));
      await sleep(6_000);
    });
    judge(outcome, await storedValues(lab.api));
    process.stdout.write(
      `${version}: ${outcome.stored.length} stored, ${outcome.failed.length} failed, longest gap ${Math.round(outcome.longestGapMs)} ms, ${JSON.stringify(pipeline.stats)}\n`,
    );
  });

  test(`nats ${version}, 3 nodes: leadership that is handed over again and again under load disorders no key`, async () => {
    await using cluster = await startNats({ version, nodes: 3 });
    await using lab = await openLab(cluster);
    const pipeline = lab.pipeline();
    const outcome = await underLoad(pipeline, async () => {
      for (let round = 0; round < 8; round += 1) {
        await sleep(700);
        await lab.api.call(`STREAM.LEADER.STEPDOWN.${STREAM}`, undefined, { patienceMs: 10_000 });
      }
      await sleep(1_000);
    });
    judge(outcome, await storedValues(lab.api));
    process.stdout.write(
      `${version}: ${outcome.stored.length} stored, ${outcome.failed.length} failed, longest gap ${Math.round(outcome.longestGapMs)} ms, ${JSON.stringify(pipeline.stats)}\n`,
    );
  });
}

interface LoadOutcome {
  readonly stored: readonly string[];
  readonly failed: readonly { readonly value: string; readonly error: BusError }[];
  readonly longestGapMs: number;
}

/** Publish messages of few keys, hundreds on their way at a time, while something happens. */
async function underLoad(
  pipeline: PublishPipeline,
  happens: () => Promise<void>,
): Promise<LoadOutcome> {
  const stored: string[] = [];
  const failed: { value: string; error: BusError }[] = [];
  const ends: Promise<void>[] = [];
  let isOver = false;
  let longestGapMs = 0;
  let lastMs = performance.now();
  const load = (async () => {
    for (let index = 0; !isOver; index += 1) {
      const key = `k${index % 3}`;
      const value = `${key}:${index}`;
      const call = pipeline.publish([message(key, value)]);
      ends.push(
        call.then(
          () => {
            stored.push(value);
            longestGapMs = Math.max(longestGapMs, performance.now() - lastMs);
            lastMs = performance.now();
          },
          (error: BusError) => void failed.push({ value, error }),
        ),
      );
      if (pipeline.stats.pendingMessages > 500) await sleep(2);
      else if (index % 8 === 0) await sleep(1);
    }
  })();
  await happens();
  isOver = true;
  await load;
  await Promise.all(ends);
  return { stored, failed, longestGapMs };
}

function judge({ stored, failed }: LoadOutcome, values: readonly string[]): void {
  expect(stored.length).toBeGreaterThan(200);
  expect(values.length).toBe(new Set(values).size);
  const known = new Set(values);
  expect(stored.filter((value) => !known.has(value))).toEqual([]);
  const notStored = failed.filter(({ error }) => error.code === "BUS_PUBLISH_FAILED");
  expect(notStored.filter(({ value }) => known.has(value))).toEqual([]);
  for (const key of ["k0", "k1", "k2"]) {
    const numbers = values
      .filter((value) => value.startsWith(`${key}:`))
      .map((value) => Number(value.split(":")[1]));
    expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
  }
}
