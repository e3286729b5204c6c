import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { NodeProxies } from "../network/node-proxies.ts";
import { dataFolder, nodeFolder } from "../process/cluster-folder.ts";
import { freePorts } from "../process/free-ports.ts";
import { writeLoggingFiles } from "./broker-logging.ts";
import { makeCertificates } from "./certificates.ts";
import type { Certificates } from "./certificates.ts";
import { newKafkaId, prepareDataFolder } from "./format-storage.ts";
import type { StartKafkaOptions } from "./kafka-cluster.ts";
import { SECURE_LISTENERS, securityProperties } from "./kafka-security.ts";
import { serverProperties } from "./server-properties.ts";
import type {
  AdvertisedPorts,
  KafkaClusterPlan,
  KafkaNodePlan,
  ListenerPorts,
} from "./server-properties.ts";

const CLIENT_LISTENERS: readonly ClientListener[] = ["PLAINTEXT", ...SECURE_LISTENERS];
const PLAIN_PORTS = 3;

/** Listeners that clients use. */
export type ClientListener = "PLAINTEXT" | (typeof SECURE_LISTENERS)[number];

/** A plan and the certificates it needs. */
export interface PreparedCluster extends KafkaClusterPlan {
  /** Present with TLS. */
  readonly certificates: Certificates | undefined;
}

/** Where the configuration of a broker lies. */
export function configFile(node: KafkaNodePlan): string {
  return join(node.folder, "server.properties");
}

/** Client addresses of one listener, `host:port`, node 1 first; empty when it is not open. */
export function clientAddresses(plan: KafkaClusterPlan, listener: ClientListener): string[] {
  const ports = plan.nodes.map(
    ({ advertised, ports: own }) => advertised[listener] ?? own[listener],
  );
  return ports.filter((port) => port !== undefined).map((port) => `127.0.0.1:${port}`);
}

/**
 * Choose ports, make certificates when they are asked for, and decide every broker's configuration.
 *
 * @param folder - Folder of the cluster.
 * @param proxies - Gets a proxy for every client listener when the network is proxied.
 */
export async function planCluster(
  folder: string,
  options: StartKafkaOptions,
  proxies: NodeProxies,
): Promise<PreparedCluster> {
  const secure = options.security === "tls-and-sasl";
  const nodes: KafkaNodePlan[] = [];
  for (let id = 1; id <= (options.nodes ?? 1); id += 1) {
    const ports = await listenerPorts(secure);
    const advertised = options.network === "proxied" ? await proxied(id, ports, proxies) : {};
    nodes.push({ id, folder: await nodeFolder(folder, id), ports, advertised });
  }
  const certificates = secure ? await makeCertificates(join(folder, "certificates")) : undefined;
  const security = certificates === undefined ? {} : securityProperties(certificates);
  return { certificates, nodes, security, overrides: options.brokerConfig ?? {} };
}

/** Write what every broker of a plan reads. */
export async function writeNodeFiles(
  folder: string,
  plan: KafkaClusterPlan,
  checkpoint: string,
): Promise<void> {
  const clusterId = newKafkaId();
  await writeLoggingFiles(folder);
  for (const node of plan.nodes) {
    await writeFile(configFile(node), serverProperties(node, plan));
    await prepareDataFolder(dataFolder(node.folder), { id: node.id, clusterId, checkpoint });
  }
}

async function listenerPorts(secure: boolean): Promise<ListenerPorts> {
  const free = await freePorts(PLAIN_PORTS + (secure ? SECURE_LISTENERS.length : 0));
  const next = (): number => free.pop() ?? 0;
  const plain = { PLAINTEXT: next(), INTERNAL: next(), CONTROLLER: next() };
  return secure ? { ...plain, SASL_SSL: next(), SSL: next(), SASL_PLAINTEXT: next() } : plain;
}

async function proxied(
  node: number,
  ports: ListenerPorts,
  proxies: NodeProxies,
): Promise<AdvertisedPorts> {
  const advertised: Record<string, number> = {};
  for (const listener of CLIENT_LISTENERS) {
    const target = ports[listener];
    if (target !== undefined) advertised[listener] = await proxies.add(node, target);
  }
  return advertised;
}
