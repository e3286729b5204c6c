import type { ConfiguredTransport, TopicPartition } from "@bus/core";
import { startNats } from "@bus/tools-brokers";
import type { NatsCluster, StartNatsOptions } from "@bus/tools-brokers";
import { connect } from "nats";
import type { JetStreamManager, NatsConnection } from "nats";
import { nats } from "../src/index.ts";
import type { NatsOptions } from "../src/index.ts";
import { groupPrefix } from "../src/leases/lease-records.ts";
import { SeverableProxy } from "./severable-proxy.ts";

/** Options of a process beside its servers. */
export type ProcessOptions = Omit<NatsOptions, "servers">;

/** Take-overs within seconds. */
const FAST_GROUPS = {
  ackWaitMs: 2_000,
  drainTimeoutMs: 1_500,
  reconnect: { waitMs: 50, maxWaitMs: 500 },
  leases: { renewMs: 500, expireMs: 3_000 },
} as const;

/** A real NATS with what tests need beside the transport: processes whose network can be cut, and the client below. */
export class NatsLab implements AsyncDisposable {
  readonly cluster: NatsCluster;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly #spare: SeverableProxy[] = [];
  readonly #proxies = new Map<ConfiguredTransport, SeverableProxy>();

  private constructor(cluster: NatsCluster, connection: NatsConnection, manager: JetStreamManager) {
    this.cluster = cluster;
    this.connection = connection;
    this.manager = manager;
  }

  /** @param processes - Simulated processes that will be made at most. */
  static async start(
    options: StartNatsOptions & { readonly processes?: number } = {},
  ): Promise<NatsLab> {
    const { processes = 8, ...server } = options;
    const cluster = await startNats(server);
    const connection = await connect({ servers: cluster.servers, name: "lab" });
    const lab = new NatsLab(cluster, connection, await connection.jetstreamManager());
    for (let count = 0; count < processes; count += 1)
      lab.#spare.push(await SeverableProxy.to(cluster.url));
    return lab;
  }

  /** The transport of one simulated process. */
  process(options: ProcessOptions = {}): ConfiguredTransport {
    const proxy = this.#spare.pop();
    if (proxy === undefined) throw new TypeError("the lab was started with too few processes");
    const configured = nats({
      ...FAST_GROUPS,
      ...options,
      servers: [proxy.url],
      stream: { storage: "memory", ...options.stream, ensure: "create" },
    });
    this.#proxies.set(configured, proxy);
    return configured;
  }

  /** Cut a process off; returns how to join it again. */
  sever(process: ConfiguredTransport): () => void {
    const proxy = this.#proxies.get(process);
    proxy?.sever();
    return () => proxy?.restore();
  }

  /** Use up an offset that no consumer receives. */
  async makeGap({ topic, partition }: TopicPartition): Promise<void> {
    const { seq } = await this.connection.jetstream().publish(`${topic}.${partition}`, "gone");
    await this.manager.streams.deleteMessage("bus", seq, false);
  }

  async removeBefore({ topic, partition }: TopicPartition, offset: bigint): Promise<void> {
    await this.manager.streams.purge("bus", {
      filter: `${topic}.${partition}`,
      seq: Number(offset),
    });
  }

  /** Have others take the members of a group for gone, as when they were silent for too long. */
  async evict(group: string): Promise<void> {
    const bucket = await this.connection.jetstream().views.kv("bus-bus-leases");
    const members = await bucket.keys(`${groupPrefix(group)}m.>`);
    for await (const member of members) await bucket.delete(member);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.close();
    for (const proxy of [...this.#proxies.values(), ...this.#spare])
      await proxy[Symbol.asyncDispose]();
    await this.cluster.close();
  }
}
