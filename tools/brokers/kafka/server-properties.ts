import { dataFolder } from "../process/cluster-folder.ts";

/** Listeners of a broker and the security protocol of each. INTERNAL carries replication and our own probes, never clients. */
export const LISTENER_PROTOCOLS = {
  PLAINTEXT: "PLAINTEXT",
  INTERNAL: "PLAINTEXT",
  CONTROLLER: "PLAINTEXT",
  SASL_SSL: "SASL_SSL",
  SSL: "SSL",
  SASL_PLAINTEXT: "SASL_PLAINTEXT",
} as const;

/** Name of a listener. */
export type ListenerName = keyof typeof LISTENER_PROTOCOLS;

/** Ports of one broker, per listener; a listener without a port is not opened. */
export type ListenerPorts = Readonly<
  Partial<Record<ListenerName, number>> & Record<"PLAINTEXT" | "INTERNAL" | "CONTROLLER", number>
>;

/** Ports that clients are told instead of the broker's own. */
export type AdvertisedPorts = Readonly<Partial<Record<ListenerName, number>>>;

/** One broker of the plan. */
export interface KafkaNodePlan {
  /** `node.id`, from 1. */
  readonly id: number;
  /** Folder with the configuration, the log file and the data of this broker. */
  readonly folder: string;
  /** Where it listens. */
  readonly ports: ListenerPorts;
  /** Where clients are told to connect, when that is a proxy. */
  readonly advertised: AdvertisedPorts;
}

/** What the brokers of a cluster have in common. */
export interface KafkaClusterPlan {
  /** All brokers; every one is also a controller. */
  readonly nodes: readonly KafkaNodePlan[];
  /** Properties for TLS and SASL; empty without security. */
  readonly security: Readonly<Record<string, string>>;
  /** The caller's own properties; they win. */
  readonly overrides: Readonly<Record<string, string>>;
}

/**
 * Broker properties that make three brokers notice a dead one in about 3 s instead of 9 s; spread them into `brokerConfig`.
 * A single broker always has them, so that it is back sooner after a kill.
 */
export const FAST_FAILOVER: Readonly<Record<string, string>> = Object.freeze({
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
});

/** Write `server.properties` for one broker of a plan (KRaft, broker and controller in one process). */
export function serverProperties(node: KafkaNodePlan, cluster: KafkaClusterPlan): string {
  const properties = {
    ...baseProperties(node, cluster),
    ...cluster.security,
    ...cluster.overrides,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${escapeValue(value)}\n`)
    .join("");
}

function baseProperties(node: KafkaNodePlan, cluster: KafkaClusterPlan): Record<string, string> {
  const open = openListeners(node);
  const replicas = String(cluster.nodes.length);
  const alone = cluster.nodes.length === 1;
  const minIsr = alone ? "1" : "2";
  return {
    "process.roles": "broker,controller",
    "node.id": String(node.id),
    "controller.quorum.voters": cluster.nodes
      .map(({ id, ports }) => `${id}@127.0.0.1:${ports.CONTROLLER}`)
      .join(","),
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    listeners: open.map((name) => `${name}://127.0.0.1:${node.ports[name]}`).join(","),
    "advertised.listeners": open
      .filter((name) => name !== "CONTROLLER")
      .map((name) => `${name}://127.0.0.1:${node.advertised[name] ?? node.ports[name]}`)
      .join(","),
    "listener.security.protocol.map": open
      .map((name) => `${name}:${LISTENER_PROTOCOLS[name]}`)
      .join(","),
    "log.dirs": dataFolder(node.folder),
    "auto.create.topics.enable": "false",
    "default.replication.factor": replicas,
    "min.insync.replicas": minIsr,
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": minIsr,
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    // A broker that was killed is not let in again before its old session has ended. Alone, it has nobody to fail over to anyway.
    ...(alone ? FAST_FAILOVER : {}),
  };
}

function openListeners(node: KafkaNodePlan): ListenerName[] {
  return (Object.keys(LISTENER_PROTOCOLS) as ListenerName[]).filter(
    (name) => node.ports[name] !== undefined,
  );
}

/** Java properties: a backslash escapes, a line end ends the value. */
function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
