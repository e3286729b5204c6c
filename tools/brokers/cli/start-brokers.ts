import type { KafkaCluster } from "../kafka/kafka-cluster.ts";
import type { KafkaSecurity } from "../kafka/kafka-security.ts";
import { startKafka } from "../kafka/start-kafka.ts";
import { startNats } from "../nats/start-nats.ts";
import type { KafkaListener, StartCommand } from "./parse-command.ts";

/** Running brokers, and what to tell the user about them. */
export interface StartedBrokers extends AsyncDisposable {
  /** One line: what, which version, where from, how fast. */
  readonly title: string;
  /** How to reach them. */
  readonly lines: readonly string[];
  /** Plain-text client address of every node. */
  readonly addresses: readonly string[];
  /** End them; idempotent. */
  close(): Promise<void>;
}

/** Start what a command line asks for. */
export async function startBrokers(command: StartCommand): Promise<StartedBrokers> {
  return command.kind === "kafka" ? await kafkaBrokers(command) : await natsBrokers(command);
}

async function kafkaBrokers(command: StartCommand & { kind: "kafka" }): Promise<StartedBrokers> {
  const { nodes, version, listeners } = command;
  const cluster = await startKafka({
    nodes,
    security: listeners.length === 0 ? "none" : "tls-and-sasl",
    ...(version === undefined ? {} : { version }),
  });
  return {
    title: title("kafka", cluster),
    lines: [
      `export KAFKA_BROKERS=${cluster.brokers.join(",")}`,
      ...securityLines(cluster.security, listeners),
    ],
    addresses: cluster.brokers,
    close: async () => await cluster.close(),
    [Symbol.asyncDispose]: async () => await cluster.close(),
  };
}

async function natsBrokers(command: StartCommand & { kind: "nats" }): Promise<StartedBrokers> {
  const { nodes, version } = command;
  const cluster = await startNats({ nodes, ...(version === undefined ? {} : { version }) });
  return {
    title: title("nats", cluster),
    lines: [
      `export NATS_URL=${cluster.servers.join(",")}`,
      ...cluster.nodes.map(({ id, monitorUrl }) => `node ${id} is watched at ${monitorUrl}`),
    ],
    addresses: cluster.servers,
    close: async () => await cluster.close(),
    [Symbol.asyncDispose]: async () => await cluster.close(),
  };
}

function title(
  kind: string,
  cluster: Pick<KafkaCluster, "provider" | "readyMs"> & {
    version: string | undefined;
    nodes: readonly unknown[];
  },
): string {
  const count = cluster.nodes.length === 1 ? "1 node" : `${cluster.nodes.length} nodes`;
  return `${kind} ${cluster.version ?? "of unknown version"}, ${count}, ${cluster.provider}, ready after ${cluster.readyMs} ms`;
}

function securityLines(
  security: KafkaSecurity | undefined,
  listeners: readonly KafkaListener[],
): string[] {
  if (security === undefined) return [];
  const { files, users } = security;
  return listeners.flatMap((listener) => [
    `${listener} at ${security.listeners[listener].join(",")}`,
    ...(listener === "SASL_PLAINTEXT" ? [] : [`certificate authority ${files.ca}`]),
    ...(listener === "SSL"
      ? [`client certificate ${files.clientCertificate}, key ${files.clientKey}`]
      : userLines(users)),
  ]);
}

function userLines({ scram, plain }: KafkaSecurity["users"]): string[] {
  return [
    `SCRAM-SHA-256 and SCRAM-SHA-512: user ${scram.username}, password ${scram.password}`,
    `PLAIN: user ${plain.username}, password ${plain.password}`,
  ];
}
