import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { NodeProxies } from "../network/node-proxies.ts";
import { logFile, nodeFolder } from "../process/cluster-folder.ts";
import { freePorts } from "../process/free-ports.ts";
import type { NodeRecipe } from "../process/node-processes.ts";
import { startNodes } from "../process/start-nodes.ts";
import { firstAvailable } from "../provider.ts";
import { anyBinary, exactBinary } from "./binary-runtime.ts";
import { containerRuntime } from "./container-runtime.ts";
import { NATS_URL, externalNats } from "./external-nats.ts";
import { DEFAULT_NATS_VERSION } from "./nats-cluster.ts";
import type { NatsCluster, StartNatsOptions } from "./nats-cluster.ts";
import { isHealthy, jetStreamPeers, routedPeers } from "./nats-probe.ts";
import type { NatsRuntime } from "./nats-runtime.ts";
import { serverConfig } from "./server-config.ts";
import type { NatsNodePlan } from "./server-config.ts";

const READY_TIMEOUT_MS = 120_000;

/**
 * Get a real NATS with JetStream: the one in `NATS_URL`, else a container, else a `nats-server` program; on loopback ports.
 *
 * @throws BrokersError `UNAVAILABLE` when nothing here can run it, `START_FAILED` when it does not become healthy.
 */
export async function startNats(options: StartNatsOptions = {}): Promise<NatsCluster> {
  const given = process.env[NATS_URL] ?? "";
  const { provider } = options;
  if (provider === "external" || (provider === undefined && given !== ""))
    return await externalNats(given);
  const runtime = await findRuntime(provider, options.version);
  const { plan, running } = await startNodes({
    kind: "nats",
    readyTimeoutMs: options.readyTimeoutMs ?? READY_TIMEOUT_MS,
    prepare: async (folder, proxies) => {
      const nodes = await planNodes(folder, options, proxies);
      for (const node of nodes)
        await writeFile(configFile(node), serverConfig(node, nodes, options.config ?? {}));
      const withJetStream = options.config?.["jetstream"] !== false;
      const recipes = nodes.map((node) =>
        recipe({ node, folder, size: nodes.length, withJetStream }, runtime),
      );
      return { plan: nodes, recipes };
    },
  });
  const nodes = plan.map((node) => ({
    id: node.id,
    url: clientUrl(node),
    monitorUrl: monitorUrl(node),
  }));
  const servers = nodes.map(({ url }) => url);
  return {
    provider: runtime.provider,
    version: runtime.version,
    url: servers[0] ?? "",
    servers,
    nodes,
    ...running,
  };
}

async function findRuntime(
  provider: StartNatsOptions["provider"],
  wanted: StartNatsOptions["version"],
): Promise<NatsRuntime> {
  const version = wanted ?? DEFAULT_NATS_VERSION;
  const container = async (): ReturnType<typeof containerRuntime> =>
    await containerRuntime(version);
  const exact = async (): ReturnType<typeof exactBinary> => await exactBinary(version);
  const local = wanted === undefined ? [exact, anyBinary] : [exact];
  const lookups = { container: [container], local, any: [container, ...local], external: [] };
  return await firstAvailable(`nats-server ${version}`, lookups[provider ?? "any"]);
}

async function planNodes(
  folder: string,
  options: StartNatsOptions,
  proxies: NodeProxies,
): Promise<NatsNodePlan[]> {
  const nodes: NatsNodePlan[] = [];
  for (let id = 1; id <= (options.nodes ?? 1); id += 1) {
    const [client = 0, monitor = 0, route = 0] = await freePorts(3);
    const advertised = options.network === "proxied" ? await proxies.add(id, client) : undefined;
    nodes.push({
      id,
      folder: await nodeFolder(folder, id),
      ports: { client, monitor, route },
      advertised,
    });
  }
  return nodes;
}

function recipe(
  where: { node: NatsNodePlan; folder: string; size: number; withJetStream: boolean },
  runtime: NatsRuntime,
): NodeRecipe {
  const { node, folder, size, withJetStream } = where;
  const files = {
    clusterFolder: folder,
    configFile: configFile(node),
    logFile: logFile(node.folder),
  };
  let seenWhole = size === 1;
  return {
    id: node.id,
    logFile: files.logFile,
    launch: async () => await runtime.launch(files),
    isReady: async () => {
      const url = monitorUrl(node);
      if (!(await isHealthy(url))) return false;
      // At the first start every node has to see all of them; later another one may be down on purpose.
      seenWhole ||= (await routedPeers(url)) === size - 1;
      return seenWhole && (size === 1 || !withJetStream || (await jetStreamPeers(url)) === size);
    },
  };
}

function configFile(node: NatsNodePlan): string {
  return join(node.folder, "nats.conf");
}

function clientUrl(node: NatsNodePlan): string {
  return `nats://127.0.0.1:${node.advertised ?? node.ports.client}`;
}

function monitorUrl(node: NatsNodePlan): string {
  return `http://127.0.0.1:${node.ports.monitor}`;
}
