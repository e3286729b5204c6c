import type { ConfiguredTransport, TopicPartition } from "@bus/core";
import type { StartKafkaOptions } from "@bus/tools-brokers";
import { once } from "node:events";
import { connect } from "node:net";
import { confluentDriver } from "../src/confluent/index.ts";
import { kafka } from "../src/index.ts";
import type { KafkaOptions } from "../src/index.ts";
import { KafkaLab } from "./kafka-lab.ts";
import { ProcessProxy } from "./process-proxy.ts";

/** Options of a process beside brokers and driver. */
export type ConfluentProcessOptions = Omit<KafkaOptions, "brokers" | "driver">;

/** More processes than the kit makes in one run. */
export const KIT_PROCESSES = 300;

/** Rebalances and take-overs within seconds. */
const FAST_GROUPS = {
  sessionTimeoutMs: 6_000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 10_000,
  drainTimeoutMs: 1_500,
};

const LEAVE_GROUP = 13;

interface LabProcess {
  readonly clientId: string;
  readonly proxy: ProcessProxy;
}

/** A real Kafka and processes with Confluent's client, each behind a network of its own that can be cut. */
export class ConfluentLab implements AsyncDisposable {
  readonly lab: KafkaLab;
  readonly #proxies: readonly ProcessProxy[];
  readonly #processes = new Map<ConfiguredTransport, LabProcess>();

  private constructor(lab: KafkaLab, proxies: readonly ProcessProxy[]) {
    this.lab = lab;
    this.#proxies = proxies;
  }

  /** @param maxProcesses - Networks are made in advance, because a process is made without waiting. */
  static async start(maxProcesses: number, options: StartKafkaOptions = {}): Promise<ConfluentLab> {
    const lab = await KafkaLab.start(options);
    const port = brokerPort(lab);
    const starting = Array.from({ length: maxProcesses }, () => ProcessProxy.start(port));
    return new ConfluentLab(lab, await Promise.all(starting));
  }

  /** The transport of one simulated process. */
  process(options: ConfluentProcessOptions = {}): ConfiguredTransport {
    const proxy = this.#proxies[this.#processes.size];
    if (proxy === undefined) throw new RangeError("the lab has no network left for a process");
    const clientId = `process-${this.#processes.size}`;
    const configured = kafka({
      ...options,
      brokers: [`127.0.0.1:${proxy.port}`],
      clientId,
      driver: confluentDriver(),
      consumer: { ...FAST_GROUPS, ...options.consumer },
    });
    this.#processes.set(configured, { clientId, proxy });
    return configured;
  }

  /** Cut a process off; returns how to join it again. */
  sever(process: ConfiguredTransport): () => void {
    const proxy = this.#processes.get(process)?.proxy;
    proxy?.sever();
    return () => proxy?.restore();
  }

  /** Have the group throw a process out, as an operator's tool does. */
  async expel(process: ConfiguredTransport, group: string): Promise<void> {
    const clientId = this.#processes.get(process)?.clientId;
    const { groups } = await this.lab.admin.describeGroups([group]);
    const member = groups[0]?.members.find((one) => one.clientId === clientId);
    if (member === undefined) throw new TypeError(`${clientId} is no member of ${group}`);
    await leaveGroup(brokerPort(this.lab), group, member.memberId);
  }

  makeGap(partition: TopicPartition): Promise<void> {
    return this.lab.makeGap(partition);
  }

  removeBefore(partition: TopicPartition, offset: bigint): Promise<void> {
    return this.lab.removeBefore(partition, offset);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await this.lab[Symbol.asyncDispose]();
  }
}

function brokerPort(lab: KafkaLab): number {
  return Number(lab.cluster.brokers[0]?.split(":")[1]);
}

/** LeaveGroup, version 0, to the one broker, which coordinates every group. */
async function leaveGroup(port: number, group: string, memberId: string): Promise<void> {
  const header = Buffer.alloc(10);
  header.writeInt16BE(LEAVE_GROUP, 0);
  header.writeInt16BE(-1, 8);
  const request = Buffer.concat([header, text(group), text(memberId)]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(request.length, 0);
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(Buffer.concat([length, request]));
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  // Length, correlation id, error code.
  const code = answer.readInt16BE(8);
  if (code !== 0) throw new Error(`LeaveGroup failed with code ${code}`);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}
