import type { NetworkFaults } from "../network/node-proxies.ts";
import type { ProcessFaults } from "../process/node-processes.ts";
import type { Provider } from "../provider.ts";
import type { KafkaSecurity } from "./kafka-security.ts";
import type { KafkaVersion } from "./kafka-runtime.ts";

/** What to start. */
export interface StartKafkaOptions {
  /** Brokers; each is also a controller. @defaultValue 1 */
  readonly nodes?: 1 | 3;
  /** Kafka version. @defaultValue "4.1.1" */
  readonly version?: KafkaVersion;
  /** `tls-and-sasl` also opens a SASL_SSL, an SSL (client certificate required) and a SASL_PLAINTEXT listener. @defaultValue "none" */
  readonly security?: "none" | "tls-and-sasl";
  /** Broker properties on top of ours; they win. See `FAST_FAILOVER`. @defaultValue {} */
  readonly brokerConfig?: Readonly<Record<string, string>>;
  /** `proxied` puts a TCP proxy, run by this process, before every client listener: needed for `partitionNetwork`, costs throughput. @defaultValue "direct" */
  readonly network?: "direct" | "proxied";
  /** Insist on one way to get the brokers. @defaultValue the first of external, container, local that this machine has */
  readonly provider?: Provider;
  /** How long the nodes may take to answer, in milliseconds. @defaultValue 120000 */
  readonly readyTimeoutMs?: number;
}

/** One broker. */
export interface KafkaNode {
  /** `node.id`, from 1. */
  readonly id: number;
  /** Plain-text address for clients, `host:port`. */
  readonly address: string;
}

/** A running cluster; leave its scope (`await using`) or call `close()` to end it and remove its data. */
export interface KafkaCluster extends ProcessFaults, NetworkFaults, AsyncDisposable {
  /** Where it comes from; with `external` every fault and `logs` reject with `FAULTS_UNAVAILABLE`. */
  readonly provider: Provider;
  /** Version that runs; undefined when the addresses were given. */
  readonly version: KafkaVersion | undefined;
  /** Plain-text bootstrap addresses, `host:port`, node 1 first. */
  readonly brokers: string[];
  /** The brokers. */
  readonly nodes: readonly KafkaNode[];
  /** What clients of the TLS and SASL listeners need; undefined without `security`. */
  readonly security: KafkaSecurity | undefined;
  /** From starting the programs until every node answered and saw all others, in milliseconds; downloads are not in it. */
  readonly readyMs: number;
  /** Everything a node has written so far. */
  logs(node: number): Promise<string>;
  /** Process id of a node's broker; undefined while it does not run, and in a container. */
  pid(node: number): number | undefined;
  /** End the processes at once and remove the data; idempotent. */
  close(): Promise<void>;
}
