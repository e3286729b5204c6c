import type { NetworkFaults } from "../network/node-proxies.ts";
import type { ProcessFaults } from "../process/node-processes.ts";
import type { Provider } from "../provider.ts";
import type { NatsConfig } from "./server-config.ts";

/** Versions of nats-server that can be asked for. */
export type NatsVersion = "2.15.2" | "2.9.10";

/** The version that is started unless another one is asked for. */
export const DEFAULT_NATS_VERSION: NatsVersion = "2.15.2";

/** All versions that can be asked for. */
export const NATS_VERSIONS: readonly NatsVersion[] = ["2.15.2", "2.9.10"];

/** What to start. */
export interface StartNatsOptions {
  /** Servers; three form a cluster with replicated JetStream. @defaultValue 1 */
  readonly nodes?: 1 | 3;
  /** Exactly this version. @defaultValue "2.15.2", else any from 2.9 on when that one cannot be had */
  readonly version?: NatsVersion;
  /** Server configuration merged into ours, deeply; it wins. `{ jetstream: false }` turns JetStream off. @defaultValue {} */
  readonly config?: NatsConfig;
  /** `proxied` puts a TCP proxy, run by this process, before every server: needed for `partitionNetwork`, costs throughput. @defaultValue "direct" */
  readonly network?: "direct" | "proxied";
  /** Insist on one way to get the servers. @defaultValue the first of external, container, local that this machine has */
  readonly provider?: Provider;
  /** How long the nodes may take to be healthy, in milliseconds. @defaultValue 120000 */
  readonly readyTimeoutMs?: number;
}

/** One server. */
export interface NatsNode {
  /** From 1; its `server_name` is `node-<id>`. */
  readonly id: number;
  /** Address for clients, `nats://host:port`. */
  readonly url: string;
  /** Base address of its monitoring endpoints (`/jsz`, `/connz` …); undefined when it is not ours. */
  readonly monitorUrl: string | undefined;
}

/** Running servers; leave the scope (`await using`) or call `close()` to end them and remove their data. */
export interface NatsCluster extends ProcessFaults, NetworkFaults, AsyncDisposable {
  /** Where it comes from; with `external` every fault and `logs` reject with `FAULTS_UNAVAILABLE`. */
  readonly provider: Provider;
  /** Version that runs, as the server says; undefined when the addresses were given. */
  readonly version: string | undefined;
  /** Address of node 1. */
  readonly url: string;
  /** Addresses of all nodes, `nats://host:port`, node 1 first. */
  readonly servers: string[];
  /** The servers. */
  readonly nodes: readonly NatsNode[];
  /** From starting the programs until every node was healthy and JetStream had a leader, in milliseconds; downloads are not in it. */
  readonly readyMs: number;
  /** Everything a node has written so far. */
  logs(node: number): Promise<string>;
  /** Process id of a node's server; undefined while it does not run, and in a container. */
  pid(node: number): number | undefined;
  /** End the processes at once and remove the data; idempotent. */
  close(): Promise<void>;
}
